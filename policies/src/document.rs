//! A TOML file whose every value knows its line and key, so that each refusal can name them.
//!
//! It knows nothing of profiles: it must never decide what a value means, only whether it has the right kind.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Place, PolicyError, did_you_mean};

/// A file that was read and is TOML.
pub(crate) struct Document<'a> {
    source: Source<'a>,
    table: Spanned<DeTable<'a>>,
}

/// The text of a file and what to call it.
#[derive(Clone, Copy)]
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, offset: usize, key: &str) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        Place {
            file: self.file.to_owned(),
            line: Some(before.matches('\n').count() + 1),
            key: key.to_owned(),
        }
    }
}

impl<'a> Document<'a> {
    /// Reads `text`; `file` is its name in messages.
    pub(crate) fn parse(file: &'a str, text: &'a str) -> Result<Document<'a>, PolicyError> {
        let source = Source { file, text };
        let table = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            source.place(offset, "").refuse(
                format!("not TOML: {}", error.message().replace('\n', " ")),
                "mend the syntax",
            )
        })?;
        Ok(Document { source, table })
    }

    /// The whole file as a table.
    pub(crate) fn root(&self) -> Section<'_> {
        Section {
            source: self.source,
            key: String::new(),
            offset: 0,
            table: self.table.get_ref(),
        }
    }
}

/// A table of a document.
pub(crate) struct Section<'a> {
    source: Source<'a>,
    key: String,
    offset: usize,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// Refuses every key that is not in `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), PolicyError> {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let place = self.source.place(key.span().start, &self.path(name));
                return Err(
                    place.refuse(format!("unknown key {name:?}"), did_you_mean(name, known))
                );
            }
        }
        Ok(())
    }

    /// The value of a key, where it is written.
    pub(crate) fn get(&self, name: &str) -> Option<Item<'a>> {
        self.table.get(name).map(|value| Item {
            source: self.source,
            key: self.path(name),
            value,
        })
    }

    /// The value of a key that has to be there; `example` shows what to write.
    pub(crate) fn need(&self, name: &str, example: &str) -> Result<Item<'a>, PolicyError> {
        self.get(name).ok_or_else(|| {
            self.source
                .place(self.offset, &self.path(name))
                .refuse("missing", format!("write {name} = {example}"))
        })
    }

    /// Every key with its value.
    pub(crate) fn items(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> {
        self.table.iter().map(|(key, value)| {
            let name = key.get_ref().as_ref();
            let (source, key) = (self.source, self.path(name));
            (name, Item { source, key, value })
        })
    }

    /// Where this table begins.
    pub(crate) fn place(&self) -> Place {
        self.source.place(self.offset, &self.key)
    }

    fn path(&self, name: &str) -> String {
        if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        }
    }
}

/// One value of a document.
pub(crate) struct Item<'a> {
    source: Source<'a>,
    key: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    /// Where it is written.
    pub(crate) fn place(&self) -> Place {
        self.source.place(self.value.span().start, &self.key)
    }

    /// The error that this value is wrong.
    pub(crate) fn refuse(
        &self,
        problem: impl Into<String>,
        mend: impl Into<String>,
    ) -> PolicyError {
        self.place().refuse(problem, mend)
    }

    /// A text.
    pub(crate) fn string(&self) -> Result<&'a str, PolicyError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.as_ref()),
            _ => Err(self.kind("a text in quotes")),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Result<bool, PolicyError> {
        self.value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.kind("true or false"))
    }

    /// A whole number that is not negative.
    pub(crate) fn integer(&self) -> Result<u64, PolicyError> {
        let number = self.value.get_ref().as_integer();
        number
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok())
            .ok_or_else(|| self.kind("a whole number from 0 up"))
    }

    /// A number with or without a fraction.
    pub(crate) fn float(&self) -> Result<f64, PolicyError> {
        let text = match self.value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) => number.as_str(),
            _ => "",
        };
        text.parse().map_err(|_| self.kind("a number such as 1.0"))
    }

    /// The elements of a list; each keeps the list's key and its own line.
    pub(crate) fn list(&self) -> Result<Vec<Item<'a>>, PolicyError> {
        let list = self
            .value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.kind("a list in [ ]"))?;
        Ok(list
            .iter()
            .map(|value| Item {
                source: self.source,
                key: self.key.clone(),
                value,
            })
            .collect())
    }

    /// A table.
    pub(crate) fn section(&self) -> Result<Section<'a>, PolicyError> {
        let table = self
            .value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.kind("a table"))?;
        Ok(Section {
            source: self.source,
            key: self.key.clone(),
            offset: self.value.span().start,
            table,
        })
    }

    /// Whether it is a list: some keys take one thing or several.
    pub(crate) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// A list of texts.
    pub(crate) fn texts(&self) -> Result<Vec<String>, PolicyError> {
        let text = |item: &Item<'_>| item.string().map(str::to_owned);
        self.list()?.iter().map(text).collect()
    }

    /// Whether it is a text: some lists hold both texts and tables.
    pub(crate) fn is_string(&self) -> bool {
        self.value.get_ref().is_str()
    }

    fn kind(&self, wanted: &str) -> PolicyError {
        self.refuse(format!("not {wanted}"), format!("write {wanted}"))
    }
}
