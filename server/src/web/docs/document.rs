//! A text of the documentation as HTML: headings that can be linked to, commands that can be copied.
//!
//! The texts are our own, so they are not cleaned as people's words are ([`crate::web::markdown`]); what a page may not
//! have, such as inline styles and images from elsewhere, is left out all the same. Pure.

use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream, html};

/// Opens a block of code, beside its button.
const CODE: &str = "<div class=\"code\"><pre tabindex=\"0\" aria-label=\"Example\"><code>";
const CODE_END: &str = "</code></pre><button type=\"button\" class=\"btn sm sq quiet\" data-copy \
    aria-label=\"Copy example\" title=\"Copy example\"><svg class=\"i\" aria-hidden=\"true\">\
    <use href=\"#i-copy\"/></svg></button></div>\n";

/// A text, ready to be shown.
#[derive(Debug)]
pub(super) struct Document {
    /// All of it, with its `h1`.
    pub(super) html: String,
    /// What its table of contents lists.
    pub(super) headings: Vec<Heading>,
    /// The ids of the other headings.
    deeper: Vec<String>,
}

/// A heading below the title.
#[derive(Debug)]
pub(super) struct Heading {
    /// What leads to it, behind the `#`.
    pub(super) id: String,
    pub(super) text: String,
    /// Whether it stands below another one.
    pub(super) is_below: bool,
}

impl Document {
    /// Renders a text. `page_of` tells where a file that it links to is shown; other files are no links.
    pub(super) fn new(markdown: &str, page_of: impl Fn(&str) -> Option<String>) -> Self {
        let events: Vec<Event> = TextMergeStream::new(Parser::new_ext(markdown, Options::ENABLE_TABLES)).collect();
        let mut made = Vec::with_capacity(events.len());
        let mut document =
            Self { html: String::with_capacity(markdown.len() * 2), headings: Vec::new(), deeper: Vec::new() };
        let mut links = Vec::new();
        let mut depth_of_image = 0_usize;
        for (index, event) in events.iter().enumerate() {
            match event {
                Event::Start(Tag::Image { .. }) => depth_of_image += 1,
                Event::End(TagEnd::Image) => depth_of_image = depth_of_image.saturating_sub(1),
                _ if depth_of_image > 0 => {}
                Event::Start(Tag::Heading { level, .. }) => {
                    let id = document.add_heading(*level, &text_until_end(&events[index..]));
                    let (classes, attrs) = (Vec::new(), Vec::new());
                    made.push(Event::Start(Tag::Heading { level: *level, id: Some(id.into()), classes, attrs }));
                }
                Event::Start(Tag::CodeBlock(_)) => made.push(Event::Html(CODE.into())),
                Event::End(TagEnd::CodeBlock) => made.push(Event::Html(CODE_END.into())),
                // The alignment would become a style.
                Event::Start(Tag::Table(columns)) => {
                    made.push(Event::Start(Tag::Table(vec![Alignment::None; columns.len()])));
                }
                Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                    let target = target(dest_url, &page_of);
                    links.push(target.is_some());
                    if let Some(target) = target {
                        let (title, id) = (CowStr::Borrowed(""), CowStr::Borrowed(""));
                        made.push(Event::Start(Tag::Link {
                            link_type: *link_type,
                            dest_url: target.into(),
                            title,
                            id,
                        }));
                    }
                }
                Event::End(TagEnd::Link) => {
                    if links.pop().unwrap_or_default() {
                        made.push(Event::End(TagEnd::Link));
                    }
                }
                event => made.push(event.clone()),
            }
        }
        html::push_html(&mut document.html, made.into_iter());
        // Where there was nothing but an image.
        document.html = document.html.replace("<p></p>\n", "");
        document
    }

    /// The ids of all its headings.
    #[cfg(test)]
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.headings.iter().map(|heading| heading.id.as_str()).chain(self.deeper.iter().map(String::as_str))
    }

    /// Remembers a heading; returns its id, which no other one has.
    fn add_heading(&mut self, level: HeadingLevel, text: &str) -> String {
        let slug = slug(text);
        let is_taken = |id: &String| self.deeper.contains(id) || self.headings.iter().any(|heading| heading.id == *id);
        let mut id = slug.clone();
        let mut again = 0;
        while is_taken(&id) {
            again += 1;
            id = format!("{slug}-{again}");
        }
        match level {
            HeadingLevel::H2 | HeadingLevel::H3 => {
                let is_below = level == HeadingLevel::H3;
                self.headings.push(Heading { id: id.clone(), text: text.to_owned(), is_below });
            }
            _ => self.deeper.push(id.clone()),
        }
        id
    }
}

/// A short text, such as a description of the API, as HTML.
pub(super) fn short(markdown: &str) -> String {
    let mut made = String::with_capacity(markdown.len() + 16);
    html::push_html(&mut made, Parser::new(markdown));
    made
}

/// The words of a heading that begins here.
fn text_until_end(events: &[Event<'_>]) -> String {
    let until_end = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    until_end
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect()
}

/// What a heading is called in links, as GitHub and its readers know it.
fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where a link leads on the server's pages.
fn target(link: &str, page_of: impl Fn(&str) -> Option<String>) -> Option<String> {
    if link.starts_with('#') || link.starts_with("https://") || link.starts_with("http://") {
        return Some(link.to_owned());
    }
    let (path, id) = link.split_once('#').map_or((link, None), |(path, id)| (path, Some(id)));
    let page = page_of(path.rsplit('/').next().unwrap_or(path))?;
    Some(id.map_or_else(|| page.clone(), |id| format!("{page}#{id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(markdown: &str) -> Document {
        Document::new(markdown, |file| (file == "cli.md").then(|| "/docs/cli".to_owned()))
    }

    #[test]
    fn headings_are_called_as_github_calls_them() {
        let document = made("# A\n## What's `new`, then?\n## Same\n### Same\n");
        let ids: Vec<&str> = document.ids().collect();
        assert_eq!(ids, ["whats-new-then", "same", "same-1", "a"]);
        assert!(document.html.contains("<h2 id=\"whats-new-then\">What's <code>new</code>, then?</h2>"));
        assert!(document.headings[2].is_below && !document.headings[1].is_below);
    }

    #[test]
    fn links_lead_to_pages_and_files_that_are_none_stay_words() {
        let document = made("[a](docs/cli.md#x) [b](../cli.md) [c](LICENSE-MIT) [d](#e) [f](https://example.org)");
        for link in ["/docs/cli#x", "/docs/cli", "#e", "https://example.org"] {
            assert!(document.html.contains(&format!("<a href=\"{link}\">")), "{}", document.html);
        }
        assert_eq!(document.html.matches("<a ").count(), 4);
        assert!(document.html.contains(" c "));
    }

    #[test]
    fn commands_can_be_copied_and_images_and_styles_are_left_out() {
        let document = made("```sh\nmake serve < x\n```\n\n![a run](run.png)\n\n|a|\n|-:|\n|1|\n");
        assert!(document.html.starts_with(CODE) && document.html.contains("make serve &lt; x\n</code></pre><button"));
        for left_out in ["a run", "<p>", "style"] {
            assert!(!document.html.contains(left_out), "{left_out}: {}", document.html);
        }
    }
}
