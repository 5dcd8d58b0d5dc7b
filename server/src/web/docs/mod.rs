//! The documentation, for everybody who reaches the server: the same texts as in `docs/` and `README.md`, and the API's
//! reference, which is made of what the server says of itself.
//!
//! The texts are built into the binary and rendered once. So a server always shows what belongs to its own version.

mod document;
pub mod reference;

use std::sync::LazyLock;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::shell::{Crumb, Shell, SideLink};
use super::{Look, page};
use crate::app::AppState;
use crate::auth::MaybeSignedIn;
use crate::error::{AppError, Result};
use crate::extract::Path;
use document::{Document, Heading};

/// Where the documentation is.
const HOME: &str = "/docs";
/// The page that is made and not written, among the others.
const REFERENCE: (&str, &str) = ("api-reference", "API reference");

/// A text of the repository.
struct Source {
    /// Its page, below [`HOME`].
    name: &'static str,
    /// What it is called beside the others.
    label: &'static str,
    /// The file, as the texts name it when they link to each other.
    file: &'static str,
    text: &'static str,
}

static SOURCES: [Source; 12] = [
    source("", "Getting started", "README.md", include_str!("../../../../README.md")),
    source("cli", "CLI", "cli.md", include_str!("../../../../docs/cli.md")),
    source("agents", "Agents", "agents.md", include_str!("../../../../docs/agents.md")),
    source("api", "API", "api.md", include_str!("../../../../docs/api.md")),
    source("webhooks", "Webhooks", "webhooks.md", include_str!("../../../../docs/webhooks.md")),
    source("operations", "Operations", "operations.md", include_str!("../../../../docs/operations.md")),
    source("performance", "Performance", "performance.md", include_str!("../../../../docs/performance.md")),
    source("scale", "Scale", "scale.md", include_str!("../../../../docs/scale.md")),
    source("security", "Security", "security.md", include_str!("../../../../docs/security.md")),
    source("architecture", "Architecture", "architecture.md", include_str!("../../../../docs/architecture.md")),
    source("development", "Development", "development.md", include_str!("../../../../docs/development.md")),
    source("changelog", "Changes", "CHANGELOG.md", include_str!("../../../../CHANGELOG.md")),
];

const fn source(name: &'static str, label: &'static str, file: &'static str, text: &'static str) -> Source {
    Source { name, label, file, text }
}

/// The pages in the order of [`SOURCES`].
static DOCUMENTS: LazyLock<Vec<Document>> =
    LazyLock::new(|| SOURCES.iter().map(|source| Document::new(source.text, page_of)).collect());

#[derive(Template)]
#[template(path = "docs/page.html")]
struct DocsPage {
    shell: Shell,
    pages: Vec<SideLink>,
    title: &'static str,
    html: &'static str,
    headings: &'static [Heading],
}

/// `GET /docs`
pub async fn index(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
) -> Result<Response> {
    let account = signed_in.as_ref().map(|person| &person.account);
    shown(Shell::new(&app, look, account), "")
}

/// `GET /docs/{page}`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    Path(name): Path<String>,
) -> Result<Response> {
    let account = signed_in.as_ref().map(|person| &person.account);
    shown(Shell::new(&app, look, account), &name)
}

fn shown(shell: Shell, name: &str) -> Result<Response> {
    let found = SOURCES.iter().zip(DOCUMENTS.iter()).find(|(source, _)| source.name == name);
    let (source, document) = found.ok_or(AppError::NotFound("Page"))?;
    Ok(page(&DocsPage {
        shell: in_docs(shell),
        pages: pages(name),
        title: source.label,
        html: &document.html,
        headings: &document.headings,
    }))
}

fn in_docs(mut shell: Shell) -> Shell {
    shell.crumbs.push(Crumb {
        href: HOME.to_owned(),
        label: "Documentation".to_owned(),
        is_mono: false,
        current: Some("location"),
    });
    shell
}

/// All pages, to stand beside the one that is shown.
fn pages(shown: &str) -> Vec<SideLink> {
    let mut pages = Vec::with_capacity(SOURCES.len() + 1);
    for source in &SOURCES {
        pages.push((source.name, source.label));
        if source.name == "api" {
            pages.push(REFERENCE);
        }
    }
    let link = |(name, label): (&str, &'static str)| SideLink { href: address(name), label, is_current: name == shown };
    pages.into_iter().map(link).collect()
}

fn address(name: &str) -> String {
    if name.is_empty() { HOME.to_owned() } else { format!("{HOME}/{name}") }
}

/// Where a file of the repository is shown, by its name.
fn page_of(file: &str) -> Option<String> {
    SOURCES.iter().find(|source| source.file == file).map(|source| address(source.name))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_link_between_the_pages_leads_to_a_heading_that_is_there() {
        let headings: BTreeMap<String, BTreeSet<&str>> = SOURCES
            .iter()
            .zip(DOCUMENTS.iter())
            .map(|(source, document)| (address(source.name), document.ids().collect()))
            .collect();
        let mut links = 0;
        for (source, document) in SOURCES.iter().zip(DOCUMENTS.iter()) {
            for link in document.html.split("<a href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                if link.contains("://") {
                    continue;
                }
                links += 1;
                let (page, id) = link.split_once('#').unwrap_or((link, ""));
                let page = if page.is_empty() { address(source.name) } else { page.to_owned() };
                let there = headings.get(&page);
                assert!(there.is_some_and(|ids| id.is_empty() || ids.contains(id)), "{} links to {link}", source.file);
            }
        }
        assert!(links > 20, "the texts link to each other: {links}");
    }

    #[test]
    fn each_page_has_one_title_and_nothing_that_the_policy_forbids() {
        for (source, document) in SOURCES.iter().zip(DOCUMENTS.iter()) {
            assert_eq!(document.html.matches("<h1").count(), 1, "{}", source.file);
            for forbidden in [" style=", "<img", "<script", "<p></p>"] {
                assert!(!document.html.contains(forbidden), "{} has {forbidden}", source.file);
            }
        }
    }
}
