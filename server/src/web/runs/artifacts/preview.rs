//! How a file is shown on its page. Whatever it is, at most 256 KiB of it are read, and nothing in it runs.

use csv::ReaderBuilder;
use serde_json::Value;

use crate::app::AppState;
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, ProjectId};
use crate::error::Result;
use crate::services;
use crate::web::render::PAGE_POLICY;
use crate::web::runs::raw::{self, Media};
use crate::web::{format, markdown, terminal};

/// How much of a file is read to show it.
const READ_BYTES: u64 = 256 * 1024;
/// How much of a table is shown.
const TABLE_ROWS: usize = 100;
const TABLE_COLUMNS: usize = 50;
/// A cell shows so many characters.
const CELL_CHARS: usize = 200;

/// A file as it is shown.
#[derive(Default)]
pub struct Shown {
    /// What the browser shows by itself.
    pub media: Option<MediaView>,
    /// A table.
    pub table: Option<TableView>,
    /// A document, as HTML.
    pub document: Option<String>,
    /// Its text.
    pub text: Option<String>,
    /// Whether the text stands under something that shows it better.
    pub is_source: bool,
    /// What is not shown, or not as it is, in sentences.
    pub remarks: Vec<String>,
}

/// What the browser shows by itself.
pub struct MediaView {
    /// Where it is.
    pub src: String,
    /// `image`, `audio`, `video`, `pdf` or `frame`.
    pub kind: &'static str,
}

/// The beginning of a table.
pub struct TableView {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its first rows.
    pub rows: Vec<Vec<String>>,
}

impl Shown {
    /// Reads as much as is shown. `href` is the file's page, and `runs_url` where mentioned runs are.
    pub async fn read(
        app: &AppState,
        project_id: ProjectId,
        artifact: &Artifact,
        href: &str,
        runs_url: &str,
    ) -> Result<Self> {
        if artifact.sha256.is_none() {
            return Ok(Self::default());
        }
        let (name, media) = (artifact.file_name().to_lowercase(), raw::media_of(artifact));
        let mut shown = Self { media: media.map(|media| MediaView::new(media, href)), ..Self::default() };
        let is_text = artifact.preview() == Preview::Text;
        if !is_text && shown.media.is_some() {
            return Ok(shown);
        }
        let bytes = services::artifacts::head(app, project_id, artifact, READ_BYTES).await?.unwrap_or_default();
        let is_cut = artifact.size_bytes.unsigned_abs() > READ_BYTES;
        let (text, is_utf8) = decoded(&bytes, is_cut);
        // Without an ending that tells it, a file is a text if it reads as one.
        if !is_text && (!is_utf8 || text.contains('\0')) {
            return Ok(shown);
        }
        if is_cut {
            shown.remarks.push(format!("Only the beginning of {} is shown.", format::size(artifact.size_bytes)));
        }
        if !is_utf8 {
            shown.remarks.push("Some of its bytes are no text in UTF-8; they show as \u{fffd}.".to_owned());
        }
        shown.add_text(&name, &text, is_cut, runs_url);
        Ok(shown)
    }

    fn add_text(&mut self, name: &str, text: &str, is_cut: bool, runs_url: &str) {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending {
            "csv" => self.add_table(b',', text, is_cut),
            "tsv" => self.add_table(b'\t', text, is_cut),
            "md" | "markdown" => self.document = Some(markdown::html(text, runs_url)),
            _ => {}
        }
        let is_json = ending == "json";
        let pretty = is_json.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
        let pretty = pretty.and_then(|value| serde_json::to_string_pretty(&value).ok());
        self.text = Some(terminal::clean(pretty.as_deref().unwrap_or(text)));
        self.is_source = self.media.is_some() || self.table.is_some() || self.document.is_some();
    }

    fn add_table(&mut self, delimiter: u8, text: &str, is_cut: bool) {
        let Some((table, remark)) = TableView::read(delimiter, text, is_cut) else { return };
        self.remarks.extend(remark);
        self.table = Some(table);
    }

    /// The policy of the page, where it needs to show more than other pages do.
    pub fn policy(&self) -> Option<String> {
        match self.media.as_ref()?.kind {
            "audio" | "video" => Some(format!("{PAGE_POLICY}; media-src 'self'")),
            "pdf" | "frame" => Some(format!("{PAGE_POLICY}; frame-src 'self'")),
            _ => None,
        }
    }
}

impl MediaView {
    fn new(media: Media, href: &str) -> Self {
        let (kind, how) = match media {
            Media::Image(_) => ("image", "inline"),
            Media::Audio(_) => ("audio", "inline"),
            Media::Video(_) => ("video", "inline"),
            Media::Pdf => ("pdf", "inline"),
            Media::Page | Media::Drawing => ("frame", "rendered"),
        };
        Self { src: format!("{href}/raw?{how}"), kind }
    }
}

/// The bytes as text, and whether they are one. A character that the cut went through is left out.
fn decoded(bytes: &[u8], is_cut: bool) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), true),
        Err(error) if is_cut && error.error_len().is_none() => {
            (String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned(), true)
        }
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), false),
    }
}

impl TableView {
    /// The beginning of a table, and what of it is not shown; `None` where there is none.
    fn read(delimiter: u8, text: &str, is_cut: bool) -> Option<(Self, Option<String>)> {
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
        // One row more than is shown tells whether there are more; and the cut may have gone through the last one.
        let mut records: Vec<_> =
            reader.byte_records().map_while(std::result::Result::ok).take(TABLE_ROWS + 2).collect();
        let has_more = records.len() == TABLE_ROWS + 2;
        if is_cut && !has_more && records.len() > 1 {
            records.pop();
        }
        let width = records.iter().map(csv::ByteRecord::len).max().filter(|width| *width > 0)?;
        let cells = |record: &csv::ByteRecord| -> Vec<String> {
            (0..width.min(TABLE_COLUMNS)).map(|column| cell(record.get(column).unwrap_or_default())).collect()
        };
        let columns = cells(records.first()?);
        let rows: Vec<Vec<String>> = records.iter().skip(1).take(TABLE_ROWS).map(cells).collect();
        let mut parts = Vec::new();
        if has_more {
            parts.push(format!("the first {TABLE_ROWS} rows"));
        }
        if width > TABLE_COLUMNS {
            let all = format::count(i64::try_from(width).unwrap_or_default());
            let least = if is_cut { "at least " } else { "" };
            parts.push(format!("the first {TABLE_COLUMNS} of {least}{all} columns"));
        }
        let remark =
            (!parts.is_empty()).then(|| format!("Shown are {}. Download it for the rest.", parts.join(" and ")));
        Some((Self { columns, rows }, remark))
    }
}

fn cell(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String = text.chars().take(CELL_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    terminal::clean(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_any_width_and_length_shows_its_beginning() {
        let header: Vec<String> = (0..20_000).map(|column| format!("c{column}")).collect();
        let wide = format!("{}\n{}\n", header.join(","), "1,".repeat(19_999));
        let (table, remark) = TableView::read(b',', &wide, false).unwrap();
        assert_eq!((table.columns.len(), table.rows.len(), table.columns[49].as_str()), (50, 1, "c49"));
        assert_eq!(
            remark.unwrap().replace('\u{a0}', " "),
            "Shown are the first 50 of 20 000 columns. Download it for the rest."
        );

        let long = format!("a\tb\n{}", "1\t\"x y\"\n".repeat(500));
        let (table, remark) = TableView::read(b'\t', &long, true).unwrap();
        assert_eq!((table.rows.len(), table.rows[99].as_slice()), (100, ["1".to_owned(), "x y".to_owned()].as_slice()));
        assert!(remark.unwrap().contains("the first 100 rows"));

        // Even its first row may be longer than what is read.
        let (table, _) = TableView::read(b',', "only,half a hea", true).unwrap();
        assert_eq!(table.columns, ["only", "half a hea"]);
        assert!(TableView::read(b',', "", false).is_none());
    }

    #[test]
    fn a_cut_through_a_character_is_no_damage() {
        let bytes = "aé".as_bytes();
        assert_eq!(decoded(&bytes[..2], true), ("a".to_owned(), true));
        assert_eq!(decoded(&bytes[..2], false), ("a\u{fffd}".to_owned(), false));
        assert_eq!(decoded(b"a\xff\xc3", true).0, "a\u{fffd}\u{fffd}");
    }
}
