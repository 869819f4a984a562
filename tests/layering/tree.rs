//! All the modules of a crate, and what a path written in one of them leads to.

use std::collections::{HashMap, HashSet};

use crate::scan::{Mention, Module, Path, scan};

/// The name under which the crate's own tests and `extern crate self` know it.
const CRATE: &str = "tower_breaker";

/// More segments than any path has.
const LONGEST: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Tree {
    modules: HashMap<Path, Module>,
    /// The modules that each module's glob imports open.
    opened: HashMap<Path, Vec<Path>>,
    pub(crate) files: Vec<String>,
    /// With the file that each stands in.
    pub(crate) mentions: Vec<(String, Mention)>,
}

/// Somewhere that a path leads to.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) at: At,
    /// How many segments at its end are the mention's own. Those before them are what a `use` in
    /// the same layer stands for, which is judged where it stands.
    pub(crate) own: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// A path from the root of the crate.
    Inside(Path),
    /// A path into another crate, or a name that is in scope everywhere.
    Outside(Path),
}

impl Tree {
    /// Reads files, given as (path relative to `src`, text).
    pub(crate) fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut tree = Self::default();
        for (file, text) in files {
            let scan = scan(file, text).unwrap_or_else(|error| panic!("src/{file}: {error}"));
            tree.files.push(file.to_owned());
            for mention in scan.mentions {
                tree.mentions.push((file.to_owned(), mention));
            }
            for module in scan.modules {
                tree.add(module);
            }
        }
        tree.opened = tree
            .modules
            .values()
            .map(|module| (module.path.clone(), tree.opened_by(module)))
            .collect();
        tree
    }

    pub(crate) fn is_module(&self, path: &[String]) -> bool {
        self.modules.contains_key(path)
    }

    /// Whether the root has `name` from a module, and does not define it.
    pub(crate) fn reexports(&self, name: &str) -> bool {
        let root = self.modules.get(&[][..]);
        let named = root.is_some_and(|root| root.aliases.iter().any(|(alias, _)| alias == name));
        named || !self.behind_globs(&[], name).is_empty()
    }

    /// Everywhere the mention's path leads, followed through aliases, globs and the re-exports of
    /// the root, as far as the first step into another layer: what that layer hands on is that
    /// layer's own import.
    pub(crate) fn follow(&self, mention: &Mention) -> Vec<Place> {
        let mut walk = Walk::new(self, mention.module.first());
        walk.resolve(&mention.module, &mention.path, usize::MAX);
        walk.places
    }

    fn add(&mut self, module: Module) {
        for name in &module.lifted {
            let mut target = vec!["crate".to_owned()];
            target.extend_from_slice(&module.path);
            target.push(name.clone());
            if !module.path.is_empty() {
                let root = self.modules.entry(Path::new()).or_default();
                root.aliases.push((name.clone(), target));
            }
        }
        let known = self.modules.entry(module.path.clone()).or_default();
        known.path = module.path;
        known.children.extend(module.children);
        known.items.extend(module.items);
        known.aliases.extend(module.aliases);
        known.globs.extend(module.globs);
    }

    fn opened_by(&self, module: &Module) -> Vec<Path> {
        let mut opened = Vec::new();
        for glob in &module.globs {
            let mut walk = Walk::new(self, None);
            walk.resolve(&module.path, glob, usize::MAX);
            opened.extend(walk.places.into_iter().filter_map(|place| match place.at {
                At::Inside(path) if self.is_module(&path) => Some(path),
                _ => None,
            }));
        }
        opened
    }

    /// The modules, opened by globs in `module`, that have `name`.
    fn behind_globs(&self, module: &[String], name: &str) -> Vec<&Path> {
        let opened = self.opened.get(module).into_iter().flatten();
        opened.filter(|path| self.has(path, name, &mut HashSet::new())).collect()
    }

    fn has<'a>(&'a self, path: &'a [String], name: &str, seen: &mut HashSet<&'a [String]>) -> bool {
        let Some(module) = self.modules.get(path) else {
            return false;
        };
        seen.insert(path)
            && (module.children.iter().any(|child| child == name)
                || module.items.iter().any(|item| item == name)
                || module.aliases.iter().any(|(alias, _)| alias == name)
                || (self.opened.get(path).into_iter().flatten())
                    .any(|opened| self.has(opened, name, seen)))
    }
}

#[derive(Debug)]
struct Walk<'a> {
    tree: &'a Tree,
    /// The layer that the path is written in; without one the walk goes into every layer.
    layer: Option<&'a String>,
    places: Vec<Place>,
    seen: HashSet<(Path, Path)>,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, layer: Option<&'a String>) -> Self {
        Self { tree, layer, places: Vec::new(), seen: HashSet::new() }
    }

    /// Follows `path` as it reads in `module`.
    fn resolve(&mut self, module: &[String], path: &[String], own: usize) {
        let (mut base, mut rest) = match path.split_first() {
            None => return,
            Some((head, rest)) => match head.as_str() {
                "::" if rest.first().is_none_or(|name| name != CRATE) => {
                    return self.outside(rest, own);
                }
                "::" => (&[][..], &rest[1..]),
                "crate" | CRATE => (&[][..], rest),
                "self" => (module, rest),
                "super" => (module, path),
                name if self.tree.has(module, name, &mut HashSet::new()) => (module, path),
                _ => return self.outside(path, own),
            },
        };
        while let [head, after @ ..] = rest
            && head == "super"
        {
            base = &base[..base.len().saturating_sub(1)];
            rest = after;
        }
        self.step(base, rest, own);
    }

    /// Takes the next step from the module `base`.
    fn step(&mut self, base: &[String], rest: &[String], own: usize) {
        // `use self::judge::judge` reads as an alias of the module too, which has no end.
        if rest.len() > LONGEST || !self.seen.insert((base.to_vec(), rest.to_vec())) {
            return;
        }
        let at = At::Inside([base, rest].concat());
        self.places.push(Place { at, own });
        let elsewhere = base.first().is_some_and(|top| Some(top) != self.layer);
        let (Some((name, after)), Some(module)) = (rest.split_first(), self.tree.modules.get(base))
        else {
            return;
        };
        if elsewhere && self.layer.is_some() {
            return;
        }
        let covered = match base.first() == self.layer {
            true => own.min(after.len()),
            false => own,
        };
        let mut named = module.items.contains(name);
        let child = [base, std::slice::from_ref(name)].concat();
        if self.tree.is_module(&child) {
            named = true;
            self.step(&child, after, own);
        }
        for (_, target) in module.aliases.iter().filter(|(alias, _)| alias == name) {
            named = true;
            self.resolve(base, &[target, after].concat(), covered);
        }
        if !named {
            for opened in self.tree.behind_globs(base, name) {
                self.step(opened, rest, covered);
            }
        }
    }

    fn outside(&mut self, path: &[String], own: usize) {
        let at = At::Outside(path.to_vec());
        self.places.push(Place { at, own });
    }
}
