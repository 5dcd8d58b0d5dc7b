//! The points of one line: a row of CSV or TSV, a JSON object, or a log's words.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use crate::outputs::finite_json::FiniteJson;
use crate::series::sink::{LINE_POINTS_MAX, Place, Sink};
use crate::series::words;

/// What tells a row's step, the best first.
const STEPS: [&str; 5] = ["step", "global_step", "iteration", "iter", "epoch"];
/// What tells when it was written, in seconds since 1970.
const TIMES: [&str; 3] = ["timestamp", "_timestamp", "wall time"];
/// Seconds since 1970 lie between these.
const TIME_MIN: f64 = 1e8;
const TIME_MAX: f64 = 1e10;
/// Whole numbers up to here are what a float says.
const WHOLE_MAX: f64 = 9e15;
/// Objects within objects are looked through so deep.
const DEPTH_MAX: usize = 8;

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Values with this byte between them; the first line has their names.
    Delimited(u8),
    /// A JSON object a line.
    JsonLines,
    /// Lines for people.
    Log,
}

impl Kind {
    /// By the file's suffix; `None`: it holds no series.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).as_deref() {
            Some("csv") => Some(Self::Delimited(b',')),
            Some("tsv") => Some(Self::Delimited(b'\t')),
            Some("jsonl" | "ndjson") => Some(Self::JsonLines),
            Some("log" | "txt" | "out" | "err") | None => Some(Self::Log),
            Some(_) => None,
        }
    }
}

/// Reads the lines of one file.
#[derive(Debug)]
pub struct Reader {
    kind: Kind,
    prefix: Option<String>,
    columns: Option<Columns>,
    /// How many rows there were: the step of one that tells none.
    rows: i64,
    is_binary: bool,
}

#[derive(Debug, Default)]
struct Columns {
    /// The name of each column that may be a series.
    names: Vec<Option<String>>,
    step: Option<usize>,
    time: Option<usize>,
}

impl Reader {
    /// Reads a file of this kind. The names of its series begin with the prefix.
    pub const fn new(kind: Kind, prefix: Option<String>) -> Self {
        Self { kind, prefix, columns: None, rows: 0, is_binary: false }
    }

    /// Whether nothing more can come of it.
    pub const fn is_hopeless(&self) -> bool {
        self.is_binary
    }

    /// The file begins anew, with its columns.
    pub fn begin_anew(&mut self) {
        self.columns = None;
    }

    /// Takes the first line of a file of which the rows are not to be read.
    pub fn header(&mut self, line: &[u8]) {
        if let Kind::Delimited(delimiter) = self.kind {
            self.columns = Some(Columns::new(&cells(line, delimiter)));
        }
    }

    /// Takes the next line.
    pub fn line(&mut self, line: &[u8], sink: &mut Sink) {
        self.is_binary |= line.contains(&0);
        if self.is_binary || line.trim_ascii().is_empty() {
            return;
        }
        match self.kind {
            Kind::Delimited(delimiter) => self.row(&cells(line, delimiter), sink),
            Kind::JsonLines => self.object(line, sink),
            Kind::Log => {
                let Some((step, values)) = words::read(&String::from_utf8_lossy(line)) else { return };
                let place = Place { step: Some(step), time: None };
                for (name, value) in values {
                    sink.put(self.named(&name), place, value);
                }
            }
        }
    }

    fn row(&mut self, cells: &[String], sink: &mut Sink) {
        let Some(columns) = &self.columns else {
            self.columns = Some(Columns::new(cells));
            return;
        };
        let told = |at: Option<usize>| at.and_then(|at| number(cells.get(at)?));
        let place = self.place(told(columns.step), told(columns.time));
        let named = columns.names.iter().zip(cells);
        let values = named.filter_map(|(name, cell)| Some((name.as_deref()?, number(cell)?)));
        values.for_each(|(name, value)| sink.put(self.named(name), place, value));
        self.rows += 1;
    }

    fn object(&mut self, line: &[u8], sink: &mut Sink) {
        let Ok(Value::Object(fields)) = serde_json::from_reader(FiniteJson::new(line)) else { return };
        let field =
            |wanted: &[&'static str]| wanted.iter().find_map(|name| Some((*name, json_number(fields.get(*name)?)?)));
        let (step, time) = (field(&STEPS), field(&TIMES));
        let place = self.place(step.map(|step| step.1), time.map(|time| time.1));
        let is_place = |name: &str| [step, time].into_iter().flatten().any(|(taken, _)| taken == name);
        let mut found = Vec::new();
        gather(&fields, "", DEPTH_MAX, &mut found);
        let values = found.into_iter().filter(|(name, _)| !is_place(name));
        values.for_each(|(name, value)| sink.put(self.named(&name), place, value));
        self.rows += 1;
    }

    fn place(&self, step: Option<f64>, time: Option<f64>) -> Place {
        let time = time.filter(|time| (TIME_MIN..TIME_MAX).contains(time));
        Place { step: Some(step.and_then(whole).unwrap_or(self.rows)), time }
    }

    fn named(&self, name: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{name}"),
            None => name.to_owned(),
        }
    }
}

impl Columns {
    fn new(cells: &[String]) -> Self {
        let lower: Vec<String> = cells.iter().map(|cell| cell.trim().to_lowercase()).collect();
        if lower.iter().any(|cell| number(cell).is_some()) {
            // No names: nothing can be said about what the numbers are.
            return Self::default();
        }
        let find = |wanted: &[&str]| wanted.iter().find_map(|name| lower.iter().position(|cell| cell == name));
        let (step, time) = (find(&STEPS), find(&TIMES));
        let name = |(at, cell): (usize, &String)| {
            let is_series = Some(at) != step && Some(at) != time && !cells[..at].contains(cell);
            is_series.then(|| cell.trim().to_owned())
        };
        Self { names: cells.iter().enumerate().map(name).collect(), step, time }
    }
}

/// The cells of a row. A quoted line break ends it: no number is behind one.
fn cells(line: &[u8], delimiter: u8) -> Vec<String> {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii_end();
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
    if !line.contains(&b'"') {
        return line.split(|byte| *byte == delimiter).take(LINE_POINTS_MAX).map(text).collect();
    }
    let mut record = ByteRecord::new();
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(line);
    match reader.read_byte_record(&mut record) {
        Ok(true) => record.iter().take(LINE_POINTS_MAX).map(text).collect(),
        _ => Vec::new(),
    }
}

/// The numbers of an object, those of objects in it as `a/b`.
fn gather(fields: &Map<String, Value>, above: &str, depth: usize, found: &mut Vec<(String, f64)>) {
    for (name, value) in fields {
        if found.len() > LINE_POINTS_MAX {
            return;
        }
        let name = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        if let Value::Object(fields) = value
            && depth > 0
        {
            gather(fields, &name, depth - 1, found);
        } else if let Some(value) = json_number(value) {
            found.push((name, value));
        }
    }
}

fn json_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The number that a text spells, also `nan` and `inf`; but not one that is too large to be one.
pub fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    let is_word = !text.contains(|c: char| c.is_ascii_digit());
    (number.is_finite() || is_word).then_some(number)
}

#[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= WHOLE_MAX).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lines come to, as `name@step=value`.
    fn read(kind: Kind, prefix: Option<&str>, lines: &str) -> Vec<String> {
        let mut reader = Reader::new(kind, prefix.map(str::to_owned));
        let mut sink = Sink::default();
        for line in lines.split_inclusive('\n') {
            sink.begin_line();
            reader.line(line.as_bytes(), &mut sink);
        }
        let shown =
            |point: &otrace_wire::series::Point| format!("{}@{}={}", point.name, point.step.unwrap_or(-1), point.value);
        sink.take().iter().map(shown).collect()
    }

    const CSV: Kind = Kind::Delimited(b',');

    #[test]
    fn numeric_columns_are_series_and_one_is_the_step() {
        let text = "\u{feff}epoch,Step,loss,note,loss,acc\r\n0,10,0.5,good,9,nan\r\n0,20,,bad,9,1e400\r\n1,30\r\n";
        assert_eq!(read(CSV, None, text), ["epoch@10=0", "loss@10=0.5", "acc@10=NaN", "epoch@20=0", "epoch@30=1"]);
        assert_eq!(read(CSV, Some("run"), "loss\n1\n2\n"), ["run/loss@0=1", "run/loss@1=2"]);
        assert_eq!(read(Kind::Delimited(b'\t'), None, "iter\ta b\n7\t-inf\n"), ["a b@7=-inf"]);
    }

    #[test]
    fn quotes_are_read_and_rows_without_names_are_not() {
        assert_eq!(read(CSV, None, "\"a,b\",step\n\"1\",\"2\"\n"), ["a,b@2=1"]);
        assert!(read(CSV, None, "1,2\n3,4\n").is_empty());
        assert!(read(CSV, None, "").is_empty());
    }

    #[test]
    fn json_lines_give_their_numbers_by_name() {
        let text = "{\"step\": 10, \"loss\": NaN, \"val\": {\"acc\": 0.5, \"deep\": {\"x\": 1}}, \"tag\": \"a\", \"ok\": true}\n\
                    no json\n[1]\n{\"loss\": 2}\n{\"epoch\": 3, \"loss\": -Infinity, \"more\": [1, 2]}\n";
        assert_eq!(
            read(Kind::JsonLines, None, text),
            ["loss@10=NaN", "val/acc@10=0.5", "val/deep/x@10=1", "loss@1=2", "loss@3=-inf"]
        );
    }

    #[test]
    fn a_time_is_taken_where_it_is_one() {
        let mut sink = Sink::default();
        let mut reader = Reader::new(Kind::JsonLines, None);
        for line in [&b"{\"timestamp\": 1780000000.5, \"a\": 1}"[..], b"{\"timestamp\": 3, \"a\": 1}"] {
            sink.begin_line();
            reader.line(line, &mut sink);
        }
        let times: Vec<_> = sink.take().into_iter().map(|point| point.time).collect();
        assert_eq!(times, [Some(1_780_000_000.5), None]);
    }

    #[test]
    fn what_is_no_text_is_given_up() {
        let mut reader = Reader::new(CSV, None);
        let mut sink = Sink::default();
        reader.line(b"a,b\n", &mut sink);
        reader.line(b"\xff\xfe,1\n", &mut sink);
        assert!(!reader.is_hopeless());
        assert_eq!(sink.take().len(), 1);
        reader.line(b"1,\x00\n", &mut sink);
        assert!(reader.is_hopeless() && sink.take().is_empty());
    }

    #[test]
    fn the_suffix_tells_the_kind() {
        assert_eq!(Kind::of(Path::new("a/M.CSV")), Some(CSV));
        assert_eq!(Kind::of(Path::new("a.ndjson")), Some(Kind::JsonLines));
        assert_eq!(Kind::of(Path::new("train")), Some(Kind::Log));
        assert_eq!(Kind::of(Path::new("model.pt")), None);
        assert_eq!(Kind::of(Path::new("metrics.json")), None);
    }
}
