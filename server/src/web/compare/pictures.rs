//! Pictures that several runs left behind under one path, side by side.

use std::collections::BTreeMap;

use crate::domain::artifact::Preview;
use crate::services::comparison::{Compared, ComparedRun};
use crate::web::{plot, terminal};

/// So many paths are shown.
const PATHS_MAX: usize = 12;

/// The pictures of one path.
pub(super) struct PictureRow {
    pub(super) path: String,
    pub(super) pictures: Vec<Picture>,
}

/// What a run left there.
pub(super) struct Picture {
    pub(super) run: String,
    pub(super) look: String,
    /// The page of the file.
    pub(super) href: String,
    /// The picture itself.
    pub(super) image: String,
}

/// A row for each path at which at least two runs have a picture whose content is kept.
pub(super) fn rows(found: &Compared, base: &str) -> Vec<PictureRow> {
    let mut rows: BTreeMap<&str, Vec<Picture>> = BTreeMap::new();
    for (place, run) in found.columns.iter().enumerate().filter_map(|(place, column)| Some((place, column.run()?))) {
        for (path, picture) in pictures(run, place, base) {
            let row = rows.entry(path).or_default();
            // A path that a run has twice is shown once.
            if row.last().is_none_or(|last| last.run != picture.run) {
                row.push(picture);
            }
        }
    }
    let shared = rows.into_iter().filter(|(_, pictures)| pictures.len() > 1).take(PATHS_MAX);
    shared.map(|(path, pictures)| PictureRow { path: terminal::clean(path), pictures }).collect()
}

fn pictures<'a>(compared: &'a ComparedRun, place: usize, base: &str) -> impl Iterator<Item = (&'a str, Picture)> {
    let run = compared.run.experiment_id();
    let is_shown = |preview: Preview| matches!(preview, Preview::Image(_));
    compared
        .artifacts
        .iter()
        .filter(move |artifact| artifact.sha256.is_some() && is_shown(artifact.preview()))
        .filter_map(move |artifact| {
            let href = format!("{base}/runs/{run}/artifacts/{}", artifact.id);
            let image = format!("{href}/raw?inline");
            let picture = Picture { run: run.to_string(), look: plot::look(place), href, image };
            Some((artifact.original_path.as_deref()?, picture))
        })
}
