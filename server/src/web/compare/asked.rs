//! What is asked of the comparison, as its address says it: `?ids=exp001,exp004&baseline=exp001&hide=same`.
//!
//! Anything may stand there; what can't be read is not asked for.

use std::fmt::Write as _;

use otrace_wire::ExperimentId;
use url::form_urlencoded;

use crate::web::diff::view::SPLIT;

/// So many names of runs are read.
const NAMES_MAX: usize = 200;
/// So many characters of a text are read.
const TEXT_MAX_CHARS: usize = 300;
/// So many series are passed over at most.
const SKIP_MAX: usize = 10_000;
/// So many axes the parallel coordinates have at most.
pub(super) const AXES_MAX: usize = 8;

/// What is asked of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The runs, each once.
    pub(super) ids: Vec<ExperimentId>,
    /// What was named as a run and is none.
    pub(super) nonsense: Vec<String>,
    /// The run that the others are compared with.
    pub(super) baseline: Option<ExperimentId>,
    /// Whether what is the same everywhere is shown too.
    pub(super) shows_same: bool,
    /// The two runs whose code is compared.
    pub(super) code: Vec<ExperimentId>,
    /// Whether before and after stand side by side in it.
    pub(super) is_split: bool,
    /// What the names of the drawn series hold.
    pub(super) series: String,
    /// So many of them are passed over.
    pub(super) skip: usize,
    /// What the points are placed by, to the right and up.
    pub(super) x: String,
    pub(super) y: String,
    /// The axes of the parallel coordinates.
    pub(super) axes: Vec<String>,
}

/// A field of a form that nobody sees.
#[derive(Debug)]
pub(super) struct Hidden {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl Asked {
    /// Reads what stands behind the `?` of an address. Forms send a name again and again where a link has commas.
    pub(super) fn read(query: Option<&str>) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let value: String = value.chars().filter(|c| *c != '\0').take(TEXT_MAX_CHARS * 10).collect();
            let text = || value.chars().take(TEXT_MAX_CHARS).collect();
            match &*name {
                "ids" => asked.name_all(&value),
                "baseline" => asked.baseline = value.parse().ok(),
                "hide" => asked.shows_same = value != "same",
                "code" => asked.code.extend(value.split("..").filter_map(|name| name.parse::<ExperimentId>().ok())),
                "view" => asked.is_split = value == SPLIT,
                "series" => asked.series = text(),
                "skip" => asked.skip = value.parse().unwrap_or(0).min(SKIP_MAX),
                "x" => asked.x = text(),
                "y" => asked.y = text(),
                "axes" if asked.axes.len() < AXES_MAX => asked.axes.push(text()),
                _ => {}
            }
        }
        asked.code.truncate(2);
        asked
    }

    fn name_all(&mut self, names: &str) {
        for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
            if self.ids.len() + self.nonsense.len() >= NAMES_MAX {
                return;
            }
            match name.parse() {
                Ok(id) if self.ids.contains(&id) => {}
                Ok(id) => self.ids.push(id),
                Err(_) => self.nonsense.push(name.chars().take(TEXT_MAX_CHARS).collect()),
            }
        }
    }

    /// The numbers of the runs.
    pub(super) fn numbers(&self) -> Vec<i32> {
        self.ids.iter().map(|id| id.number()).collect()
    }

    /// The address that asks for the same, below `path`.
    pub(super) fn url(&self, path: &str) -> String {
        let mut query = String::new();
        for Hidden { name, value } in self.fields() {
            let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            let sign = if query.is_empty() { '?' } else { '&' };
            // A comma needs no escape, and addresses of runs are read by people.
            let _ = write!(query, "{sign}{name}={}", value.replace("%2C", ","));
        }
        format!("{path}{query}")
    }

    /// The same without one of the runs.
    pub(super) fn without(&self, run: ExperimentId) -> Self {
        let ids = self.ids.iter().copied().filter(|id| *id != run).collect();
        let baseline = self.baseline.filter(|id| *id != run);
        let code = if self.code.contains(&run) { Vec::new() } else { self.code.clone() };
        Self { ids, baseline, code, ..self.clone() }
    }

    /// What a form sends along, but for what it asks itself.
    pub(super) fn hidden_but(&self, asks: &[&str]) -> Vec<Hidden> {
        self.fields().into_iter().filter(|field| !asks.contains(&field.name)).collect()
    }

    fn fields(&self) -> Vec<Hidden> {
        let joined =
            |ids: &[ExperimentId], between: &str| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(between);
        let code = if self.code.len() == 2 { joined(&self.code, "..") } else { String::new() };
        let once = [
            ("ids", joined(&self.ids, ",")),
            ("baseline", self.baseline.map(|id| id.to_string()).unwrap_or_default()),
            ("hide", if self.shows_same { "nothing".to_owned() } else { String::new() }),
            ("code", code),
            ("view", if self.is_split { SPLIT.to_owned() } else { String::new() }),
            ("series", self.series.clone()),
            ("skip", if self.skip > 0 { self.skip.to_string() } else { String::new() }),
            ("x", self.x.clone()),
            ("y", self.y.clone()),
        ];
        let axes = self.axes.iter().map(|axis| ("axes", axis.clone()));
        let set = once.into_iter().chain(axes).filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| Hidden { name, value }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_again_what_it_asked() {
        let query = "ids=exp001,exp004&baseline=exp004&hide=nothing&code=exp001..exp004&view=split&series=a%26b\
                     &x=config.lr&axes=a&axes=b";
        let asked = Asked::read(Some(query));
        assert_eq!(asked.numbers(), [1, 4]);
        assert_eq!(asked.url("/compare"), format!("/compare?{query}"));
        assert_eq!(Asked::read(None).url("/compare"), "/compare");
        let left = asked.without("exp004".parse().unwrap());
        assert_eq!(left.url(""), "?ids=exp001&hide=nothing&view=split&series=a%26b&x=config.lr&axes=a&axes=b");
    }

    #[test]
    fn forms_name_runs_one_by_one_and_links_with_commas() {
        let asked =
            Asked::read(Some("ids=exp002&ids=exp001&ids=exp002%2Cfoo&hide=same&code=exp002&code=exp001&skip=-1"));
        assert_eq!(asked.numbers(), [2, 1]);
        assert_eq!(asked.nonsense, ["foo"]);
        assert_eq!(asked.code.len(), 2);
        assert_eq!((asked.skip, asked.shows_same), (0, false));
        assert_eq!(Asked::read(Some("x=%00a&ids=%00")).x, "a");
    }
}
