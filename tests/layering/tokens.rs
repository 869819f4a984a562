//! Finds paths where no grammar is known: in the insides of macros and attributes.

use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

use crate::scan::{Kind, Scanner, name, segments};

impl Scanner {
    /// `prefix` is the path in front of the braces that the tokens stand in, if there is one;
    /// `strings` says whether a string may be a path.
    pub(crate) fn tokens(&mut self, tokens: TokenStream, prefix: &[String], strings: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut lead = prefix;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let dollar = at.checked_sub(1).is_some_and(|i| is_punct(&tokens[i], '$'));
            at += 1;
            match token {
                TokenTree::Ident(first) => {
                    let mut path = lead.to_vec();
                    path.push(name(first));
                    while is_colons(&tokens, at) {
                        match tokens.get(at + 2) {
                            Some(TokenTree::Ident(next)) => path.push(name(next)),
                            _ => break,
                        }
                        at += 3;
                    }
                    // What `$name` stands for is scanned where the macro is called.
                    if dollar && first != "crate" {
                        continue;
                    }
                    if is_colons(&tokens, at)
                        && let Some(TokenTree::Group(group)) = tokens.get(at + 2)
                        && group.delimiter() == Delimiter::Brace
                    {
                        self.tokens(group.stream(), &path, strings);
                        at += 3;
                    } else if is_colons(&tokens, at)
                        && tokens.get(at + 2).is_some_and(|next| is_punct(next, '*'))
                    {
                        self.mention(first.span(), path, Kind::Glob);
                    } else {
                        self.mention(first.span(), path, Kind::Inline);
                    }
                    lead = &[];
                }
                TokenTree::Punct(punct) if punct.as_char() == ',' => lead = prefix,
                TokenTree::Group(group) => self.tokens(group.stream(), &[], strings),
                TokenTree::Literal(literal) if strings => self.string(literal),
                _ => {}
            }
        }
    }

    /// Derive attributes take paths in strings, as `with = "crate::wire::stamp"` does.
    fn string(&mut self, literal: &Literal) {
        if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
            && let Ok(path) = text.parse_with(syn::Path::parse_mod_style)
        {
            self.mention(literal.span(), segments(&path), Kind::Inline);
        }
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at..at + 2), Some([a, b]) if is_punct(a, ':') && is_punct(b, ':'))
}
