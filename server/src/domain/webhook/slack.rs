//! A message as Slack takes it, and Mattermost, Rocket.Chat and others that do as Slack does.
//!
//! What comes from runs is text: it makes no link, no mention and no other message.

use serde_json::{Value, json};

use super::Event;
use super::payload::{Told, cut};
use crate::domain::{Run, RunResult};

/// So many results stand in a message, side by side: Slack takes ten fields.
const RESULTS_MAX: usize = 10;
const HEADING_MAX_CHARS: usize = 200;
/// The longest name or value of a result, and of a person, in characters.
const WORD_MAX_CHARS: usize = 60;

/// The message.
pub fn message(told: &Told<'_>) -> Value {
    let project = text(&told.project.name, WORD_MAX_CHARS);
    let Some(run) = told.run else {
        let link = link(&told.project_url(), &project);
        let said = format!("A test of the webhook “{}” of {link}: it arrives.", text(told.webhook, WORD_MAX_CHARS));
        return json!({"text": said, "blocks": [section(&said)]});
    };
    let experiment = run.experiment_id().to_string();
    let link = link(&format!("{}/runs/{experiment}", told.project_url()), &experiment);
    let said = format!("{link} {} in {project}", in_words(told.event));
    let heading = text(run.heading(), HEADING_MAX_CHARS);
    let mut blocks = vec![section(&format!("*{said}*\n{heading}"))];
    if !told.results.is_empty() {
        let fields: Vec<Value> = told.results.iter().take(RESULTS_MAX).map(|result| markdown(&field(result))).collect();
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    let details = details(run);
    if !details.is_empty() {
        blocks.push(json!({"type": "context", "elements": [markdown(&details)]}));
    }
    json!({"text": format!("{said}: {heading}"), "blocks": blocks})
}

/// What happened to the run, as it stands after its name.
const fn in_words(event: Event) -> &'static str {
    match event {
        Event::Completed => "finished",
        Event::Failed => "failed",
        Event::CaptureFailed => "was not recorded to its end",
        Event::OutOfContact => "is out of contact",
        Event::BackInContact => "is back in contact",
        Event::Test => "was tested",
    }
}

fn section(markdown_text: &str) -> Value {
    json!({"type": "section", "text": markdown(markdown_text)})
}

/// `verbatim`: Slack looks for no links, channels and people of its own accord.
fn markdown(markdown_text: &str) -> Value {
    json!({"type": "mrkdwn", "text": markdown_text, "verbatim": true})
}

fn link(url: &str, label: &str) -> String {
    format!("<{}|{label}>", escaped(url))
}

fn field(result: &RunResult) -> String {
    let value = match &result.value {
        Value::String(value) => text(value, WORD_MAX_CHARS),
        other => text(&other.to_string(), WORD_MAX_CHARS),
    };
    format!("{}\n*{value}*", text(&result.name, WORD_MAX_CHARS))
}

/// How it ended, how long it took, and whose it is.
fn details(run: &Run) -> String {
    let end = match (run.signal.as_deref(), run.exit_code) {
        (Some(signal), _) => Some(format!("ended by {}", text(signal, WORD_MAX_CHARS))),
        (None, Some(code)) => Some(format!("exit code {code}")),
        (None, None) => None,
    };
    let took = run.duration_seconds.map(|seconds| format!("after {}", duration(seconds)));
    let author = run.author.as_deref().map(|name| text(name, WORD_MAX_CHARS));
    [author, end, took].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// `41 s`, `38 min`, `1 h 12 min`.
fn duration(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min", whole / 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A text of somebody else's, on one line, as nothing but text.
fn text(said: &str, max_chars: usize) -> String {
    // Cut first, so that no escape is cut in two.
    let line: String = cut(said.trim(), max_chars).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    escaped(&line)
}

/// Without what Slack takes for more than text, and without a name that could be called: others than Slack read `@all`
/// wherever it stands.
fn escaped(line: &str) -> String {
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests {
    use super::super::payload::tests::{project, result, run, told};
    use super::*;
    use crate::domain::Project;

    #[test]
    fn a_message_says_what_happened_and_leads_to_the_run() {
        let (project, run, accuracy) = (project(), run(), result("accuracy", 0.97));
        let message = message(&told(Some(&run), &[&accuracy], &project));
        let link = "<https://trace.example.org/projects/wake-word/runs/exp042|exp042>";
        assert_eq!(message["text"], format!("{link} failed in Wake word: Distilled"));
        assert_eq!(message["blocks"][0]["text"]["text"], format!("*{link} failed in Wake word*\nDistilled"));
        assert_eq!(message["blocks"][1]["fields"][0]["text"], "accuracy\n*0.97*");
        assert_eq!(message["blocks"][2]["elements"][0]["text"], "Mira · exit code 1 · after 1 h 12 min");
    }

    #[test]
    fn nothing_that_a_run_says_is_more_than_text() {
        const BAIT: &str = "<!channel> <@U1> <https://evil.example|click> & @all\n*x*";
        let project = Project { name: BAIT.to_owned(), ..project() };
        let run =
            Run { title: Some(BAIT.to_owned()), author: Some(BAIT.to_owned()), signal: Some(BAIT.to_owned()), ..run() };
        let bait = result(BAIT, BAIT);
        for said in [message(&told(Some(&run), &[&bait], &project)), message(&told(None, &[], &project))] {
            let said = said.to_string();
            for bad in ["<!channel>", "<@U1>", "<https://evil", "@all", "& "] {
                assert!(!said.contains(bad), "{bad} in {said}");
            }
            assert!(said.contains("&lt;!channel&gt; &lt;@\u{200b}U1&gt;"), "{said}");
        }
    }
}
