//! All profiles of this installation: the built-in ones, and over them those of a directory.
//!
//! Loading must be all or nothing: one bad file refuses the whole catalog, so that no runner works with half a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::document::Document;
use crate::embedded;
use crate::error::{Place, PolicyError, nearest};
use crate::group::{DANGEROUS, Group, Groups};
use crate::profile::Profile;
use crate::read;

/// Files by name without ending: what to call them in messages, and their text.
type Texts = BTreeMap<String, (String, String)>;

/// What is known of a program before its profile is.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// Its language's name or alias.
    Language(&'a str),
    /// What its file's name ends with, without the dot.
    Suffix(&'a str),
}

/// The profiles a runner offers.
#[derive(Clone, Debug)]
pub struct Catalog {
    profiles: Vec<Profile>,
}

impl Catalog {
    /// The built-in profiles; `profiles/*.toml` and `groups/*.toml` of `dir` come in addition, and in place of built-in ones of
    /// the same name. Only the group `dangerous` cannot be replaced: one in `dir` adds to it.
    ///
    /// # Errors
    /// When one of the files can't be read or says something wrong.
    pub fn load(dir: Option<&Path>) -> Result<Catalog, PolicyError> {
        Catalog::load_all(dir.map(Path::to_owned).as_slice())
    }

    /// The same with several directories, each laid over the one before, or with single files: a profile, or a group where the
    /// file lies in a folder `groups`.
    ///
    /// # Errors
    /// When one of the files can't be read or says something wrong.
    pub fn load_all(paths: &[PathBuf]) -> Result<Catalog, PolicyError> {
        Catalog::load_wanted(paths, &|_| Ok(true))
    }

    /// As [`Catalog::load`], but of the built-in profiles only those that one program may need: of a language, or of the
    /// language whose files end so. Resolving all of them takes longer than the program's cell.
    ///
    /// # Errors
    /// As [`Catalog::load`].
    pub fn load_for(dir: Option<&Path>, program: Program<'_>) -> Result<Catalog, PolicyError> {
        let paths = dir.map(Path::to_owned);
        Catalog::load_wanted(paths.as_slice(), &|document| {
            read::is_for(document, program)
        })
    }

    fn load_wanted(
        paths: &[PathBuf],
        wanted: &dyn Fn(&Document<'_>) -> Result<bool, PolicyError>,
    ) -> Result<Catalog, PolicyError> {
        let mut own = BTreeSet::new();
        let mut profiles = built_in(embedded::PROFILES);
        let mut groups = read_groups(&built_in(embedded::GROUPS))?;
        for path in paths {
            let (own_profiles, own_groups) = written(path)?;
            own.extend(own_profiles.keys().cloned());
            profiles.extend(own_profiles);
            for (name, mut group) in read_groups(&own_groups)? {
                if name == DANGEROUS {
                    let floor = groups.remove(DANGEROUS).unwrap_or_default();
                    group.entries.extend(floor.entries);
                }
                groups.insert(name, group);
            }
        }
        let mut places = BTreeMap::new();
        let mut loaded = Vec::new();
        for (stem, (file, text)) in &profiles {
            let document = Document::parse(file, text)?;
            if !own.contains(stem) && !wanted(&document)? {
                continue;
            }
            let profile = read::profile(&document, stem, &groups)?;
            unique(&profile, file, &mut places)?;
            loaded.push(profile);
        }
        Ok(Catalog { profiles: loaded })
    }

    /// The profile that a job's `language` names.
    pub fn find(&self, language: &str) -> Option<&Profile> {
        self.profiles
            .iter()
            .find(|profile| profile.is_called(language))
    }

    /// The profile that a program needs, where there is one.
    pub fn find_for(&self, program: Program<'_>) -> Option<&Profile> {
        match program {
            Program::Language(language) => self.find(language),
            Program::Suffix(suffix) => self
                .profiles
                .iter()
                .find(|profile| profile.suffixes.iter().any(|one| one == suffix)),
        }
    }

    /// Every profile, by name.
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    /// This catalog with `profile` in place of the one of that name: for one that was widened by what was learned.
    #[must_use]
    pub fn with(mut self, profile: Profile) -> Catalog {
        for own in &mut self.profiles {
            if own.name == profile.name {
                own.clone_from(&profile);
            }
        }
        self
    }

    /// The name or alias closest to one that is not known.
    pub fn nearest(&self, language: &str) -> Option<&str> {
        nearest(language, self.profiles.iter().flat_map(Profile::names))
    }
}

/// Refuses a name that another profile has already.
fn unique(
    profile: &Profile,
    file: &str,
    taken: &mut BTreeMap<String, String>,
) -> Result<(), PolicyError> {
    for name in profile.names() {
        if let Some(other) = taken.insert(name.to_owned(), file.to_owned()) {
            let key = if name == profile.name {
                "name"
            } else {
                "aliases"
            };
            let place = Place {
                file: file.to_owned(),
                line: None,
                key: key.to_owned(),
            };
            return Err(place.refuse(
                format!("{name:?} is already a name in {other}"),
                "rename one of them",
            ));
        }
    }
    Ok(())
}

fn read_groups(texts: &Texts) -> Result<Groups, PolicyError> {
    let read = |(stem, (file, text)): (&String, &(String, String))| {
        Ok((stem.clone(), Group::read(&Document::parse(file, text)?)?))
    };
    texts.iter().map(read).collect()
}

fn built_in(files: &[embedded::File]) -> Texts {
    let own = |(stem, file, text): &embedded::File| {
        ((*stem).to_owned(), ((*file).to_owned(), (*text).to_owned()))
    };
    files.iter().map(own).collect()
}

/// The profiles and the groups of a directory, or the one of a file.
fn written(path: &Path) -> Result<(Texts, Texts), PolicyError> {
    if !path.is_file() {
        holds_policies(path)?;
        return Ok((texts(path, "profiles")?, texts(path, "groups")?));
    }
    let mut one = Texts::new();
    add(&mut one, path)?;
    let folder = path.parent().and_then(Path::file_name);
    if folder.is_some_and(|folder| folder == "groups") {
        Ok((Texts::new(), one))
    } else {
        Ok((one, Texts::new()))
    }
}

/// Reads a file, unless it is no policy by its name.
fn add(texts: &mut Texts, path: &Path) -> Result<(), PolicyError> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let is_toml = path.extension().is_some_and(|ending| ending == "toml");
    if let (Some(stem), true) = (stem, is_toml) {
        let text = fs::read_to_string(path).map_err(failed(path))?;
        texts.insert(stem.to_owned(), (path.display().to_string(), text));
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PolicyError {
    let path = path.to_owned();
    move |source| PolicyError::Read { path, source }
}

/// A directory without either folder is the wrong one: going on with the built-in policy would be a silent surprise.
fn holds_policies(dir: &Path) -> Result<(), PolicyError> {
    if dir.join("profiles").is_dir() || dir.join("groups").is_dir() {
        return Ok(());
    }
    Err(PolicyError::Read {
        path: dir.to_owned(),
        source: io::Error::new(
            io::ErrorKind::NotFound,
            "there is neither a folder profiles nor a folder groups",
        ),
    })
}

/// The `*.toml` files of a folder; a folder that is not there has none.
fn texts(dir: &Path, folder: &str) -> Result<Texts, PolicyError> {
    let folder = dir.join(folder);
    let mut texts = Texts::new();
    if !folder.exists() {
        return Ok(texts);
    }
    for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
        add(&mut texts, &entry.map_err(failed(&folder))?.path())?;
    }
    Ok(texts)
}
