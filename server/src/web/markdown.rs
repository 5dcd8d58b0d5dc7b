//! Markdown from people, as HTML that does nothing.
//!
//! Whatever is written, what comes out is text with a few plain elements: HTML in it stays text, images stay words,
//! links lead to `http`, `https` and `mailto` only and tell nobody from where they were followed. `exp012` is a link
//! to that run, and `#insight` a tag. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use otrace_wire::ExperimentId;
use pulldown_cmark::{Alignment, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::terminal;

/// What marks a note as something learned.
pub const INSIGHT: &str = "#insight";

/// What else a document may have besides `CommonMark`.
const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS);

/// Quotes, lists and their items are within each other so deep; those further in are left out, and their text stays.
const DEPTH_MAX: usize = 32;

/// What may be left at the end, whatever comes before it.
static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let tags = [
        "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "span",
        "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
    ];
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(tags))
        .generic_attributes(HashSet::new())
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .allowed_classes(HashMap::from([("a", HashSet::from(["mono"])), ("span", HashSet::from(["tag", "on"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        // Only our own links to runs have no scheme: others were taken out before.
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("nofollow noopener noreferrer"));
    builder
});

/// The HTML of a document. Mentioned runs are looked for below `runs_url`: `/projects/{slug}/runs`.
pub fn html(text: &str, runs_url: &str) -> String {
    let text = terminal::clean(text);
    let mut made = String::with_capacity(text.len() * 2);
    let events = TextMergeStream::new(Parser::new_ext(&text, OPTIONS));
    pulldown_cmark::html::push_html(&mut made, Shown::new(events, runs_url));
    CLEANER.clean(&made).to_string()
}

/// The words of a document, without its marks and on one line.
pub fn words(text: &str) -> String {
    let text = terminal::clean(text);
    let mut words = String::with_capacity(text.len());
    for event in Parser::new_ext(&text, OPTIONS) {
        match event {
            Event::Text(part) | Event::Code(part) | Event::Html(part) | Event::InlineHtml(part) => {
                words.push_str(&part);
            }
            // What may begin and end within a word.
            Event::Start(_)
            | Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image) => {}
            _ => words.push(' '),
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a document has the word that marks it as something learned.
pub fn is_insight(text: &str) -> bool {
    text.split_whitespace().any(|word| word.trim_end_matches(['.', ',', ':', ';', '!']) == INSIGHT)
}

/// The events of a document with everything changed that must not be as it is.
struct Shown<'a, I> {
    events: I,
    runs_url: &'a str,
    /// What follows before the next event.
    waiting: Vec<Event<'a>>,
    /// In code and in links nothing is made a link.
    depth_of_plain: usize,
    /// How many quotes, lists and items are open, shown or not.
    depth: usize,
    /// Of each open link, whether it is shown as one.
    links: Vec<bool>,
}

impl<'a, I: Iterator<Item = Event<'a>>> Shown<'a, I> {
    const fn new(events: I, runs_url: &'a str) -> Self {
        Self { events, runs_url, waiting: Vec::new(), depth_of_plain: 0, depth: 0, links: Vec::new() }
    }

    fn start(&mut self, tag: Tag<'a>) -> Option<Event<'a>> {
        match tag {
            // The page has its own headings above.
            Tag::Heading { level, .. } => Some(Event::Html(format!("<h{}>", level_below(level as usize)).into())),
            Tag::CodeBlock(_) => {
                self.depth_of_plain += 1;
                // The language would become a class.
                Some(Event::Html(CowStr::Borrowed("<pre><code>")))
            }
            Tag::Link { link_type, dest_url, .. } => {
                self.depth_of_plain += 1;
                let is_shown = is_safe(&dest_url, link_type);
                self.links.push(is_shown);
                let (title, id) = (CowStr::Borrowed(""), CowStr::Borrowed(""));
                is_shown.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
            }
            // Its words stay: nothing is loaded from elsewhere because somebody wrote it.
            Tag::Image { .. } => Some(Event::Text(CowStr::Borrowed("image: "))),
            // Its lines come as text.
            Tag::HtmlBlock => Some(Event::Start(Tag::Paragraph)),
            tag @ (Tag::BlockQuote(_) | Tag::List(_) | Tag::Item) => {
                self.depth += 1;
                (self.depth <= DEPTH_MAX).then_some(Event::Start(tag))
            }
            // The alignment would become a style.
            Tag::Table(columns) => Some(Event::Start(Tag::Table(vec![Alignment::None; columns.len()]))),
            tag => Some(Event::Start(tag)),
        }
    }

    fn end(&mut self, tag: TagEnd) -> Option<Event<'a>> {
        match tag {
            TagEnd::Heading(level) => Some(Event::Html(format!("</h{}>\n", level_below(level as usize)).into())),
            TagEnd::CodeBlock => {
                self.depth_of_plain = self.depth_of_plain.saturating_sub(1);
                Some(Event::Html(CowStr::Borrowed("</code></pre>\n")))
            }
            TagEnd::Link => {
                self.depth_of_plain = self.depth_of_plain.saturating_sub(1);
                self.links.pop().unwrap_or_default().then_some(Event::End(TagEnd::Link))
            }
            TagEnd::Image => None,
            TagEnd::HtmlBlock => Some(Event::End(TagEnd::Paragraph)),
            tag @ (TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item) => {
                let is_shown = self.depth <= DEPTH_MAX;
                self.depth = self.depth.saturating_sub(1);
                is_shown.then_some(Event::End(tag))
            }
            tag => Some(Event::End(tag)),
        }
    }

    /// A text in pieces, from its end: between them what is more than text.
    fn text(&mut self, text: CowStr<'a>) {
        if self.depth_of_plain > 0 {
            self.waiting.push(Event::Text(text));
            return;
        }
        let mut pieces = Vec::new();
        for piece in pieces_of(&text) {
            pieces.push(match piece {
                Piece::Plain(plain) => Event::Text(plain.to_owned().into()),
                Piece::Run(run) => {
                    let link = format!("<a class=\"mono\" href=\"{}/{run}\">{run}</a>", self.runs_url);
                    Event::InlineHtml(link.into())
                }
                Piece::Insight => Event::InlineHtml(format!("<span class=\"tag on\">{INSIGHT}</span>").into()),
            });
        }
        self.waiting.extend(pieces.into_iter().rev());
    }
}

impl<'a, I: Iterator<Item = Event<'a>>> Iterator for Shown<'a, I> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(event);
            }
            let shown = match self.events.next()? {
                Event::Start(tag) => self.start(tag),
                Event::End(tag) => self.end(tag),
                Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
                Event::TaskListMarker(done) => Some(Event::Text(CowStr::Borrowed(if done { "[x] " } else { "[ ] " }))),
                // People's lines stay lines.
                Event::SoftBreak => Some(Event::HardBreak),
                Event::Text(text) => {
                    self.text(text);
                    None
                }
                event => Some(event),
            };
            if shown.is_some() {
                return shown;
            }
        }
    }
}

/// Headings of a note stand below those of the page.
const fn level_below(level: usize) -> usize {
    if level + 2 > 6 { 6 } else { level + 2 }
}

/// Whether a link may lead there. Addresses without a scheme are nowhere: not ours, and nobody else's.
fn is_safe(url: &str, link_type: LinkType) -> bool {
    let url = url.to_ascii_lowercase();
    link_type == LinkType::Email || ["http://", "https://", "mailto:"].iter().any(|scheme| url.starts_with(scheme))
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Plain(&'t str),
    Run(ExperimentId),
    Insight,
}

/// A text, split where it names a run or is marked.
fn pieces_of(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut plain_from, mut from) = (Vec::new(), 0, 0);
    while let Some((start, end)) = word_at(text, from) {
        let word = &text[start..end];
        let piece = match word.parse() {
            Ok(run) => Some(Piece::Run(run)),
            Err(_) => (word == INSIGHT).then_some(Piece::Insight),
        };
        if let Some(piece) = piece {
            if start > plain_from {
                pieces.push(Piece::Plain(&text[plain_from..start]));
            }
            pieces.push(piece);
            plain_from = end;
        }
        from = end;
    }
    if plain_from < text.len() {
        pieces.push(Piece::Plain(&text[plain_from..]));
    }
    pieces
}

/// Where the next word is, from this place on. A word is of letters, digits and what joins them in paths and names.
fn word_at(text: &str, from: usize) -> Option<(usize, usize)> {
    let is_of_a_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '#' | '@');
    let start = from + text[from..].find(is_of_a_word)?;
    let end = text[start..].find(|c| !is_of_a_word(c)).map_or(text.len(), |length| start + length);
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> String {
        html(text, "/projects/kws/runs")
    }

    #[test]
    fn runs_are_linked_and_insights_are_marked_but_not_in_code_or_links() {
        let shown = made("As exp012, #insight: better.");
        for part in [
            "href=\"/projects/kws/runs/exp012\"",
            "class=\"mono\"",
            "rel=\"nofollow noopener noreferrer\"",
            ">exp012</a>, <span class=\"tag on\">#insight</span>: better.</p>",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
        for text in ["`exp012`", "    exp012", "[exp012](nowhere)", "runs/exp012", "exp012_v2", "exp0", "#insights"] {
            assert!(!made(text).contains("<a ") && !made(text).contains("<span"), "{text}: {}", made(text));
        }
        assert_eq!(made("[paper](https://arxiv.org/abs/1)").matches("<a ").count(), 1);
    }

    #[test]
    fn what_people_write_never_becomes_an_element_that_does_something() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)>",
            "a <b onclick=alert(1)>b</b>",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](data:text/html,<script>1</script>)",
            "[a](vbscript:x)",
            "[a](//evil.example)",
            "[a](/signout)",
            "<javascript:alert(1)>",
            "![x](https://evil.example/pixel.png)",
            "![x](data:image/svg+xml,<svg onload=alert(1)>)",
            "[a](https://x.example \"onmouseover=alert(1)\")",
            "[a]: javascript:alert(1)\n\n[a]",
            "```\" onload=alert(1)\nx\n```",
            "|a|\n|:-:|\n|b|",
            "\u{1b}]8;;javascript:alert(1)\u{1b}\\x",
        ] {
            let made = made(text);
            let tags: String = made.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
            for bad in
                ["script", "img", "svg", "onerror", "onload", "onclick", "style", "javascript:", "data:", "title"]
            {
                assert!(!tags.to_lowercase().contains(bad), "{text:?}: {made}");
            }
            assert!(!made.contains("evil.example\"") && !made.contains("href=\"/"), "{text:?}: {made}");
        }
    }

    #[test]
    fn plain_markdown_reads_as_it_is_meant() {
        assert_eq!(made("# Why\n\none\ntwo"), "<h3>Why</h3>\n<p>one<br>\ntwo</p>\n");
        assert!(made("- a\n- [x] b").contains("<li>[x] "));
        assert!(made("|a|b|\n|-|-|\n|1|2|").contains("<th>a</th>"));
        assert!(made("1 < 2 & **b**").contains("1 &lt; 2 &amp; <strong>b</strong>"));
    }

    #[test]
    fn what_is_quoted_again_and_again_is_only_so_deep() {
        let shown = made(&">".repeat(262_144));
        let [opened, closed] = ["<blockquote>", "</blockquote>"].map(|tag| shown.matches(tag).count());
        assert!((1..=32).contains(&opened) && opened == closed, "{opened} and {closed}");
        let shown = made(&format!("{} deep\n\nafter", "> ".repeat(40)));
        assert_eq!(shown.matches("<blockquote>").count(), 32);
        assert!(shown.contains("deep") && shown.ends_with("</blockquote>\n<p>after</p>\n"), "{shown}");
        assert_eq!(made(&format!("{}deep", "- ".repeat(1_000))).matches("<li>").count(), 16);
    }

    #[test]
    fn the_words_of_a_document_stand_on_one_line_without_its_marks() {
        let text = "**97.0 %** in *one* ep**och**, see `exp005`.\n\n- a <b>\n- [b](https://x.example)\n\n|c|d|\n|-|-|";
        assert_eq!(words(text), "97.0 % in one epoch, see exp005. a <b> b c d");
    }

    #[test]
    fn an_insight_is_the_word_alone() {
        assert!(is_insight("It saturates. #insight") && is_insight("#insight: it saturates"));
        assert!(!is_insight("#insightful") && !is_insight("a#insight") && !is_insight("insight"));
    }
}
