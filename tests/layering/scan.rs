//! Reads one source file into the modules it declares and the paths it names.

use proc_macro2::{LineColumn, Span};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};

/// A path as it is written, its first segment `::` if it begins with one.
pub(crate) type Path = Vec<String>;

/// A module, or the part of one that a file or an inline `mod` holds.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Its path from the root of the crate; the root's is empty.
    pub(crate) path: Path,
    pub(crate) children: Vec<String>,
    pub(crate) items: Vec<String>,
    /// Names that a `use` or an `extern crate` brings in, with what each stands for.
    pub(crate) aliases: Vec<(String, Path)>,
    pub(crate) globs: Vec<Path>,
    /// Macros that `#[macro_export]` lifts to the root.
    pub(crate) lifted: Vec<String>,
}

/// A path that some code names.
#[derive(Debug)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    /// The module it is written in.
    pub(crate) module: Path,
    pub(crate) path: Path,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Import,
    Glob,
    Inline,
    /// A `mod` item; the path is the module's own.
    Declaration,
    /// `include!` or `#[path]`, which bring in code from where its path does not say.
    Hidden,
}

#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) modules: Vec<Module>,
    pub(crate) mentions: Vec<Mention>,
}

/// Scans the file at `path`, which is relative to `src`.
pub(crate) fn scan(path: &str, text: &str) -> syn::Result<Scan> {
    let file = syn::parse_file(text)?;
    let mut scanner = Scanner::default();
    scanner.enter(module_path(path));
    scanner.visit_file(&file);
    scanner.leave();
    Ok(scanner.scan)
}

fn module_path(path: &str) -> Path {
    let mut segments: Path = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(segments.last().map(String::as_str), Some("mod" | "lib")) {
        segments.pop();
    }
    segments
}

#[derive(Debug, Default)]
pub(crate) struct Scanner {
    scan: Scan,
    /// The modules around the current item, innermost last.
    open: Vec<Module>,
}

impl Scanner {
    fn enter(&mut self, path: Path) {
        self.open.push(Module { path, ..Module::default() });
    }

    fn leave(&mut self) {
        self.scan.modules.extend(self.open.pop());
    }

    fn module(&mut self) -> &mut Module {
        self.open.last_mut().expect("a file is a module")
    }

    pub(crate) fn mention(&mut self, span: Span, path: Path, kind: Kind) {
        let LineColumn { line, .. } = span.start();
        let module = self.module().path.clone();
        self.scan.mentions.push(Mention { line, module, path, kind });
    }

    fn use_tree(&mut self, tree: &syn::UseTree, mut prefix: Path) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(name(&path.ident));
                self.use_tree(&path.tree, prefix);
            }
            syn::UseTree::Name(leaf) => self.import(&leaf.ident, &leaf.ident, prefix),
            syn::UseTree::Rename(leaf) => self.import(&leaf.ident, &leaf.rename, prefix),
            syn::UseTree::Glob(glob) => {
                self.module().globs.push(prefix.clone());
                self.mention(glob.star_token.spans[0], prefix, Kind::Glob);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, prefix.clone());
                }
            }
        }
    }

    fn import(&mut self, ident: &syn::Ident, alias: &syn::Ident, mut path: Path) {
        // `use a::{self}` names `a`, while in `use self as here` it is the path.
        if ident != "self" || path.is_empty() {
            path.push(name(ident));
        }
        let alias =
            if alias == "self" { path.last().cloned().unwrap_or_default() } else { name(alias) };
        // `use tokio` and `use log::log` mean the crate, not the name they bring in.
        if path.first() == Some(&alias) {
            path.insert(0, "::".to_owned());
        }
        self.module().aliases.push((alias, path.clone()));
        self.mention(ident.span(), path, Kind::Import);
    }
}

impl<'ast> Visit<'ast> for Scanner {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if let Some(ident) = defined(item) {
            let ident = name(ident);
            self.module().items.push(ident);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let child = name(&item.ident);
        let mut path = self.module().path.clone();
        path.push(child.clone());
        self.module().children.push(child);
        self.mention(item.ident.span(), path.clone(), Kind::Declaration);
        for attribute in &item.attrs {
            self.visit_attribute(attribute);
        }
        if let Some((_, items)) = &item.content {
            self.enter(path);
            for item in items {
                self.visit_item(item);
            }
            self.leave();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let prefix = item.leading_colon.map(|_| "::".to_owned());
        self.use_tree(&item.tree, prefix.into_iter().collect());
        visit::visit_item_use(self, item);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let path = match item.ident == "self" {
            true => vec!["crate".to_owned()],
            false => vec!["::".to_owned(), name(&item.ident)],
        };
        let alias = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
        self.module().aliases.push((name(alias), path.clone()));
        self.mention(item.ident.span(), path, Kind::Import);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(ident) = &item.ident
            && (item.attrs.iter()).any(|attribute| attribute.path().is_ident("macro_export"))
        {
            let ident = name(ident);
            self.module().lifted.push(ident);
        }
        visit::visit_item_macro(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.mention(first.ident.span(), segments(path), Kind::Inline);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(last) = call.path.segments.last()
            && last.ident == "include"
        {
            self.mention(last.ident.span(), segments(&call.path), Kind::Hidden);
        }
        self.tokens(call.tokens.clone(), &[], false);
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let path = attribute.path();
        if path.is_ident("doc") {
            return;
        }
        if path.is_ident("path") {
            self.mention(attribute.pound_token.span, segments(path), Kind::Hidden);
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone(), &[], true);
        }
        visit::visit_attribute(self, attribute);
    }
}

fn defined(item: &syn::Item) -> Option<&syn::Ident> {
    match item {
        syn::Item::Const(item) => Some(&item.ident),
        syn::Item::Enum(item) => Some(&item.ident),
        syn::Item::Fn(item) => Some(&item.sig.ident),
        syn::Item::Macro(item) => item.ident.as_ref(),
        syn::Item::Static(item) => Some(&item.ident),
        syn::Item::Struct(item) => Some(&item.ident),
        syn::Item::Trait(item) => Some(&item.ident),
        syn::Item::Type(item) => Some(&item.ident),
        syn::Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

pub(crate) fn segments(path: &syn::Path) -> Path {
    let lead = path.leading_colon.map(|_| "::".to_owned());
    let rest = path.segments.iter().map(|segment| name(&segment.ident));
    lead.into_iter().chain(rest).collect()
}

pub(crate) fn name(ident: &syn::Ident) -> String {
    ident.unraw().to_string()
}
