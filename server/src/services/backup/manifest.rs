//! Manifests: written line by line, and read so, with all that is wrong with one told.

use std::collections::HashSet;

use bytes::BytesMut;
use futures_util::{Stream, TryStreamExt, stream};
use otrace_wire::Sha256Digest;
use serde::Serialize;
use time::OffsetDateTime;

use crate::blobs::{Blobs, ByteStream, Hasher, ObjectWriter};
use crate::domain::backup::{self, End, FOLDER, FORMAT, Heading, Line, StoredObject, TableDump};
use crate::domain::timestamp;
use crate::error::{AppError, Result};

/// No line is as long, in bytes.
const LINE_MAX: usize = 4 * 1024 * 1024;

/// A manifest that is being written.
#[derive(Debug)]
pub(super) struct ManifestWriter {
    object: ObjectWriter,
    count: End,
}

impl ManifestWriter {
    /// The manifest of a new backup.
    pub fn begin(target: &Blobs, name: &str) -> Self {
        Self { object: target.begin_object(&backup::manifest_key(name)), count: nothing() }
    }

    /// Adds a line.
    pub async fn write(&mut self, line: &Line) -> Result<()> {
        add(&mut self.count, line);
        let mut text = serde_json::to_vec(line).map_err(anyhow::Error::new)?;
        text.push(b'\n');
        self.object.write(&text).await
    }

    /// Writes the last line, with which there is a backup.
    pub async fn finish(mut self) -> Result<End> {
        let end = End { sha256: self.object.written().digest, ..self.count.clone() };
        if let Err(error) = self.write(&Line::End(end.clone())).await {
            self.object.give_up().await;
            return Err(error);
        }
        self.object.finish().await?;
        Ok(end)
    }

    /// Leaves nothing of it.
    pub async fn give_up(self) {
        self.object.give_up().await;
    }
}

const fn nothing() -> End {
    End { tables: 0, rows: 0, objects: 0, bytes: 0, sha256: Sha256Digest::new([0; 32]) }
}

fn add(count: &mut End, line: &Line) {
    match line {
        Line::Table(dump) => {
            count.tables += 1;
            count.rows += dump.rows;
        }
        Line::Object(object) => {
            count.objects += 1;
            count.bytes += object.size_bytes;
        }
        Line::Backup(_) | Line::End(_) => {}
    }
}

/// A manifest that is being read.
pub(super) struct ManifestReader {
    name: String,
    bytes: ByteStream,
    waiting: BytesMut,
    hasher: Hasher,
    count: End,
    /// How far it is read.
    last: Option<Line>,
}

impl ManifestReader {
    /// The manifest of a backup.
    pub async fn open(target: &Blobs, name: &str) -> Result<Self> {
        let Some((_, bytes)) = target.object(&backup::manifest_key(name)).await? else {
            return Err(AppError::invalid(format!("There is no backup {name}. See which there are with --list.")));
        };
        Ok(Self {
            name: name.to_owned(),
            bytes,
            waiting: BytesMut::new(),
            hasher: Hasher::default(),
            count: nothing(),
            last: None,
        })
    }

    /// The next line; `None` after the last one, if that was a manifest's.
    pub async fn next(&mut self) -> Result<Option<Line>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.waiting) {
                let line = self.waiting.split_to(end + 1);
                return self.take(&line).map(Some);
            }
            match self.bytes.try_next().await? {
                Some(_) if self.waiting.len() > LINE_MAX => return Err(self.is_damaged("a line has no end")),
                Some(chunk) => self.waiting.extend_from_slice(&chunk),
                None if self.waiting.is_empty() && matches!(self.last, Some(Line::End(_))) => return Ok(None),
                None => return Err(self.is_damaged("its manifest is cut short")),
            }
        }
    }

    fn take(&mut self, text: &[u8]) -> Result<Line> {
        let line: Line = serde_json::from_slice(text).map_err(|_| self.is_damaged("its manifest can't be read"))?;
        let fits = match (&self.last, &line) {
            (None, Line::Backup(heading)) if heading.format != FORMAT => {
                return Err(AppError::invalid(format!(
                    "The backup {} is written in a way that this version does not know. Use a newer otrace-server.",
                    self.name
                )));
            }
            (None, Line::Backup(_)) | (Some(Line::Backup(_) | Line::Table(_)), Line::Table(_)) => true,
            (Some(Line::Backup(_) | Line::Table(_)), Line::Object(object)) => backup::is_object_key(&object.key),
            (Some(Line::Object(before)), Line::Object(object)) => {
                before.key < object.key && backup::is_object_key(&object.key)
            }
            (Some(Line::Backup(_) | Line::Table(_) | Line::Object(_)), Line::End(end)) => {
                *end == End { sha256: self.hasher.clone().finish().digest, ..self.count.clone() }
            }
            _ => false,
        };
        if !fits {
            return Err(self.is_damaged("its manifest was changed"));
        }
        self.hasher.update(text);
        add(&mut self.count, &line);
        self.last = Some(line.clone());
        Ok(line)
    }

    fn is_damaged(&self, how: &str) -> AppError {
        damaged(&self.name, how)
    }
}

/// What is said of a backup that is not as it was.
pub(super) fn damaged(name: &str, how: &str) -> AppError {
    AppError::invalid(format!("The backup {name} is damaged: {how}. Name an older one with --at."))
}

/// A manifest without its objects, after all of it was read.
#[derive(Debug)]
pub(super) struct Overview {
    pub heading: Heading,
    pub tables: Vec<TableDump>,
    pub end: End,
}

/// Reads a manifest to its end.
pub(super) async fn overview(target: &Blobs, name: &str) -> Result<Overview> {
    let mut reader = ManifestReader::open(target, name).await?;
    let (mut heading, mut tables, mut end) = (None, Vec::new(), None);
    while let Some(line) = reader.next().await? {
        match line {
            Line::Backup(found) => heading = Some(found),
            Line::Table(dump) => tables.push(dump),
            Line::Object(_) => {}
            Line::End(found) => end = Some(found),
        }
    }
    let (heading, end) = heading.zip(end).ok_or_else(|| damaged(name, "its manifest is empty"))?;
    Ok(Overview { heading, tables, end })
}

/// The objects of a backup, in the order of their keys.
pub(super) struct Objects {
    reader: ManifestReader,
    next: Option<StoredObject>,
}

impl Objects {
    /// From the first one on.
    pub async fn open(target: &Blobs, name: &str) -> Result<Self> {
        let mut objects = Self { reader: ManifestReader::open(target, name).await?, next: None };
        objects.go_on().await?;
        Ok(objects)
    }

    async fn go_on(&mut self) -> Result<()> {
        self.next = loop {
            match self.reader.next().await? {
                Some(Line::Object(object)) => break Some(object),
                Some(_) => {}
                None => break None,
            }
        };
        Ok(())
    }

    /// All of them, one after the other.
    pub fn into_stream(self) -> impl Stream<Item = Result<StoredObject>> {
        stream::try_unfold(self, |mut objects| async move {
            Ok::<_, AppError>(objects.take().await?.map(|object| (object, objects)))
        })
    }

    /// The next one.
    async fn take(&mut self) -> Result<Option<StoredObject>> {
        let taken = self.next.take();
        if taken.is_some() {
            self.go_on().await?;
        }
        Ok(taken)
    }

    /// The one with this key; ask in the order of keys.
    pub async fn find(&mut self, key: &str) -> Result<Option<StoredObject>> {
        while self.next.as_ref().is_some_and(|next| next.key.as_str() < key) {
            self.go_on().await?;
        }
        Ok(self.next.clone().filter(|next| next.key == key))
    }

    /// Adds the keys of all that lie below a key; ask in the order of keys.
    pub async fn add_below(&mut self, below: &str, keys: &mut HashSet<String>) -> Result<()> {
        while let Some(next) = self.next.take_if(|next| next.key.as_str() < below || next.key.starts_with(below)) {
            if next.key.starts_with(below) {
                keys.insert(next.key);
            }
            self.go_on().await?;
        }
        Ok(())
    }
}

/// What the backups in a place are called, the oldest first.
pub(super) async fn names(target: &Blobs) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in target.folders(FOLDER).await? {
        if backup::is_name(&folder) && target.object_size(&backup::manifest_key(&folder)).await?.is_some() {
            names.push(folder);
        }
    }
    Ok(names)
}

/// A backup in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// What it is called.
    #[serde(rename = "backup")]
    pub name: String,
    /// The moment that it shows.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The version of the server that made it.
    pub server: String,
    /// How many rows it has.
    pub rows: u64,
    /// How many objects with contents it names.
    pub objects: u64,
    /// How many bytes those have.
    pub bytes: u64,
}

/// The backups in a place, the oldest first.
pub async fn list(target: &Blobs) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for name in names(target).await? {
        let Overview { heading, end, .. } = overview(target, &name).await?;
        let Heading { at, server, .. } = heading;
        listed.push(Listed { name, at, server, rows: end.rows, objects: end.objects, bytes: end.bytes });
    }
    Ok(listed)
}

/// What the backup is called that a person means: by its name, by a time that it is not younger than, or the youngest.
pub async fn choose(target: &Blobs, at: Option<&str>) -> Result<String> {
    let mut names = names(target).await?;
    let Some(at) = at else {
        return names.pop().ok_or_else(|| AppError::invalid("There is no backup there. Check the place."));
    };
    if let Some(name) = names.iter().find(|name| *name == at) {
        return Ok(name.clone());
    }
    let latest = backup::name_of(timestamp::parse(at)?)?;
    names.retain(|name| *name <= latest);
    names.pop().ok_or_else(|| {
        AppError::invalid(format!("There is no backup of {at} or before. See which there are with --list."))
    })
}
