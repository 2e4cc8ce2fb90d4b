//! The conclusion: which paths of the context a build reads, and which images.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;

use crate::context::containerfile::lines;
use crate::context::containerfile::lines::Instruction;
use crate::context::containerfile::variables::Variables;
use crate::context::containerfile::words;
use crate::context::directory::Containerfile;
use crate::context::select::Source;

/// What a build reads of its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// All of it, or it is not certain what.
    Everything {
        /// Why.
        reason: Reason,
        /// The sources that were understood nevertheless.
        sources: Vec<Source>,
    },
    /// These sources, besides the Containerfile itself.
    Only(Vec<Source>),
}

/// Why a context is sent whole. `Display` is a fragment with the line, and holds no text of the
/// file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    line: usize,
    what: &'static str,
}

impl Reason {
    /// `line` is counted from 1; 0 stands for the whole file.
    pub(in crate::context) fn new(line: usize, what: &'static str) -> Self {
        Self { line, what }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

/// What the caller knows of a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// It is not there yet, or nobody looked.
    Unknown,
    /// It carries `ONBUILD` instructions, which may copy anything.
    Triggers,
    /// It carries none, and has this environment (`NAME=value`).
    Plain(Vec<String>),
}

/// Finds out what the build reads of its context. `base` is asked for each image that a stage begins
/// with, never for `scratch` or an earlier stage. All stages count, whatever the target.
pub fn needs(
    containerfile: &Containerfile,
    build_args: &BTreeMap<String, String>,
    base: impl Fn(&str) -> Base,
) -> Needs {
    let mut reading = Reading::new(build_args, &base);
    reading.run(containerfile);
    match reading.reason {
        Some(reason) => Needs::Everything {
            reason,
            sources: reading.sources,
        },
        None => Needs::Only(reading.sources),
    }
}

/// The images that the build begins with or copies from, in the order of the file and without
/// duplicates: what an image key depends on. `None` if that is not certain.
pub fn images(
    containerfile: &Containerfile,
    build_args: &BTreeMap<String, String>,
) -> Option<Vec<String>> {
    let base = |_: &str| Base::Plain(Vec::new());
    let mut reading = Reading::new(build_args, &base);
    reading.run(containerfile);
    reading.images
}

struct Reading<'a> {
    build_args: &'a BTreeMap<String, String>,
    base: &'a dyn Fn(&str) -> Base,
    escape: char,
    head: Variables,
    stage: Option<Variables>,
    /// The name of the current stage, in small letters.
    stage_name: Option<String>,
    finished: HashMap<String, Variables>,
    /// How many stages began.
    stages: usize,
    sources: Vec<Source>,
    /// The first one.
    reason: Option<Reason>,
    images: Option<Vec<String>>,
}

/// The inner result: why an instruction was not understood.
type Step = Result<(), &'static str>;

impl<'a> Reading<'a> {
    fn new(build_args: &'a BTreeMap<String, String>, base: &'a dyn Fn(&str) -> Base) -> Self {
        Self {
            build_args,
            base,
            escape: '\\',
            head: Variables::default(),
            stage: None,
            stage_name: None,
            finished: HashMap::new(),
            stages: 0,
            sources: Vec::new(),
            reason: None,
            images: Some(Vec::new()),
        }
    }

    fn run(&mut self, containerfile: &Containerfile) {
        if containerfile.is_preprocessed() {
            self.fail(Reason::new(
                0,
                "the Containerfile goes through a preprocessor",
            ));
            self.images = None;
            return;
        }
        let instructions = lines::read(containerfile.bytes());
        self.escape = instructions.escape;
        for instruction in &instructions.list {
            if let Err(what) = self.instruction(instruction) {
                self.fail(Reason::new(instruction.line, what));
            }
        }
        if let Some(reason) = instructions.cut {
            self.fail(reason);
            self.images = None;
        }
    }

    fn fail(&mut self, reason: Reason) {
        self.reason.get_or_insert(reason);
    }

    fn instruction(&mut self, instruction: &Instruction) -> Step {
        let rest = instruction.rest.as_str();
        match (instruction.name.as_str(), &mut self.stage) {
            ("FROM", _) => self.from(rest),
            ("ARG", None) => {
                self.head.arg(rest, self.escape, self.build_args, None);
                Ok(())
            }
            (_, None) => Err("instruction before the first FROM"),
            ("ARG", Some(stage)) => {
                stage.arg(rest, self.escape, self.build_args, Some(&self.head));
                Ok(())
            }
            ("ENV", Some(stage)) => {
                stage.env(rest, self.escape);
                Ok(())
            }
            ("COPY" | "ADD", Some(_)) => self.copy(&instruction.name, rest),
            ("RUN", Some(_)) => self.run_mounts(rest),
            ("ONBUILD", _) => Err("ONBUILD"),
            (
                "CMD" | "ENTRYPOINT" | "EXPOSE" | "HEALTHCHECK" | "LABEL" | "MAINTAINER" | "SHELL"
                | "STOPSIGNAL" | "USER" | "VOLUME" | "WORKDIR",
                _,
            ) => Ok(()),
            _ => {
                self.images = None;
                Err("unknown instruction")
            }
        }
    }

    fn from(&mut self, rest: &str) -> Step {
        if let (Some(name), Some(stage)) = (self.stage_name.take(), self.stage.take()) {
            self.finished.insert(name, stage);
        }
        self.stages += 1;
        // Until it is known better, nothing is certain in this stage.
        self.stage = Some(Variables::unknown());
        let parsed = self.parse_from(rest);
        let Some((image, name)) = parsed else {
            self.images = None;
            return Err("base image that is not certain");
        };
        self.stage_name = name;
        let earlier = self
            .finished
            .get(&image.to_lowercase())
            .map(Variables::inherited);
        if let Some(variables) = earlier {
            self.stage = Some(variables);
            return Ok(());
        }
        if image == "scratch" {
            self.stage = Some(Variables::default());
            return Ok(());
        }
        self.image(&image);
        match (self.base)(&image) {
            Base::Unknown => Err("base image that is not there yet"),
            Base::Triggers => Err("base image with ONBUILD"),
            Base::Plain(env) => {
                self.stage = Some(Variables::on_image(&env));
                Ok(())
            }
        }
    }

    /// Image and stage name.
    fn parse_from(&self, rest: &str) -> Option<(String, Option<String>)> {
        let (flags, rest) = words::flags(rest, self.escape)?;
        if flags.iter().any(|(flag, _)| *flag != "platform") {
            return None;
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (image, name) = match *words.as_slice() {
            [image] => (image, None),
            [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => (image, Some(name)),
            _ => return None,
        };
        let image = self.head.expand(image).filter(|image| !image.is_empty())?;
        Some((image, name.map(str::to_lowercase)))
    }

    fn copy(&mut self, instruction: &str, rest: &str) -> Step {
        let (flags, rest) = words::flags(rest, self.escape).ok_or("flag that is not understood")?;
        let mut elsewhere = false;
        for (flag, value) in flags {
            match flag {
                "from" if instruction == "COPY" && !value.is_empty() => {
                    elsewhere = true;
                    self.copy_from(value);
                }
                "chown" | "chmod" | "link" | "parents" | "exclude" | "checksum"
                | "keep-git-dir" => {}
                _ => return Err("unknown flag"),
            }
        }
        if elsewhere {
            return Ok(());
        }
        let mut words = words::list(rest).ok_or("list that is no JSON")?;
        // The destination.
        words.pop();
        if words.is_empty() {
            return Err("source or destination is missing");
        }
        for word in words {
            if self.escape != '\\' && word.contains(self.escape) {
                return Err("escaped source");
            }
            let stage = self.stage.as_ref();
            let source = stage.and_then(|stage| stage.expand(&word));
            let source =
                source.ok_or("source with an unresolved variable, an escape or a quote")?;
            let remote = source.starts_with("http://") || source.starts_with("https://");
            if !(remote && instruction == "ADD") {
                self.sources.push(Source::parse(&source)?);
            }
        }
        Ok(())
    }

    fn run_mounts(&mut self, rest: &str) -> Step {
        let (flags, _) = words::flags(rest, self.escape).ok_or("flag that is not understood")?;
        for (flag, value) in flags {
            match flag {
                "mount" => self.mount(value)?,
                "network" | "security" => {}
                _ => return Err("unknown flag"),
            }
        }
        Ok(())
    }

    fn mount(&mut self, options: &str) -> Step {
        let option = |keys: &[&str]| {
            let pairs = options
                .split(',')
                .filter_map(|option| option.split_once('='));
            pairs
                .filter(|(key, _)| keys.contains(key))
                .map(|(_, value)| value)
                .next_back()
        };
        let from = option(&["from"]).filter(|from| !from.is_empty());
        if let Some(from) = from {
            self.copy_from(from);
        }
        match option(&["type"]).unwrap_or("bind") {
            "cache" | "secret" | "ssh" | "tmpfs" => Ok(()),
            "bind" if from.is_some() => Ok(()),
            "bind" => match option(&["source", "src"]) {
                None | Some("") => Err("bind mount without a source"),
                Some(source) if source.contains('$') => Err("bind mount with a variable"),
                Some(source) => {
                    self.sources.push(Source::path(source.as_bytes()));
                    Ok(())
                }
            },
            _ => Err("unknown type of mount"),
        }
    }

    /// `--from=`: an earlier stage, by name or number, or an image.
    fn copy_from(&mut self, from: &str) {
        let stage = self.stage.as_ref().unwrap_or(&self.head);
        let Some(from) = stage.expand(from) else {
            // Never the context, but possibly an image.
            self.images = None;
            return;
        };
        let number = from.parse().is_ok_and(|number: usize| number < self.stages);
        if !number && !self.finished.contains_key(&from.to_lowercase()) {
            self.image(&from);
        }
    }

    fn image(&mut self, image: &str) {
        if let Some(images) = &mut self.images
            && images.iter().all(|known| known != image)
        {
            images.push(image.to_owned());
        }
    }
}
