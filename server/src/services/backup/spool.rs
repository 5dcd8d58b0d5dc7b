//! More than memory should hold: written to a temporary file one by one, and read back in the same order.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IntoInnerError, Seek, Write};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// What is being written.
#[derive(Debug)]
pub(in crate::services) struct Spool<T> {
    file: BufWriter<File>,
    kind: PhantomData<T>,
}

/// What is being read back.
#[derive(Debug)]
pub(in crate::services) struct Spooled<T> {
    file: BufReader<File>,
    kind: PhantomData<T>,
}

impl<T: Serialize> Spool<T> {
    /// Nothing so far.
    pub fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(anyhow::Error::new)?;
        Ok(Self { file: BufWriter::new(file), kind: PhantomData })
    }

    /// Adds one.
    pub fn push(&mut self, thing: &T) -> Result<()> {
        serde_json::to_writer(&mut self.file, thing).map_err(anyhow::Error::new)?;
        self.file.write_all(b"\n").map_err(anyhow::Error::new)?;
        Ok(())
    }

    /// All of them, from the first on.
    pub fn read(self) -> Result<Spooled<T>> {
        Ok(Spooled { file: BufReader::new(self.into_file()?), kind: PhantomData })
    }

    /// The file, which has one on each line, from its beginning on.
    pub fn into_file(self) -> Result<File> {
        let mut file = self.file.into_inner().map_err(IntoInnerError::into_error).map_err(anyhow::Error::new)?;
        file.rewind().map_err(anyhow::Error::new)?;
        Ok(file)
    }
}

impl<T: DeserializeOwned> Iterator for Spooled<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let mut line = String::new();
        let read = self.file.read_line(&mut line).map_err(anyhow::Error::new);
        match read {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).map_err(|error| anyhow::Error::new(error).into())),
            Err(error) => Some(Err(error.into())),
        }
    }
}
