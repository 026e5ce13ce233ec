//! Requests of `test_traffic.requests` that a section sends on its own, by name.

use super::Reader;
use super::request::Request;
use super::template::VARIABLES;
use crate::document::{Location, Spanned, one_of};

/// The requests to choose from.
pub(super) struct Choice {
    requests: Vec<Request>,
    /// Whether one of them is missing because of its own mistakes: then it may be the one that is not found.
    incomplete: bool,
}

impl Choice {
    /// A plan without requests.
    pub(super) fn none() -> Self {
        Self { requests: Vec::new(), incomplete: false }
    }

    /// All of them.
    pub(super) fn all(self) -> Vec<Request> {
        self.requests
    }
}

impl Reader<'_> {
    /// The plan's requests, of which `written` stand in the list at this place.
    pub(super) fn choice(&self, requests: Vec<Request>, written: usize, list: Location) -> Choice {
        let incomplete = requests.len() < written || self.judge.is_incomplete(list);
        Choice { requests, incomplete }
    }

    /// The requests with these names; without names all that may be sent on their own. `place` is the section's.
    pub(super) fn chosen(
        &self,
        names: Option<Vec<Spanned<String>>>,
        place: Location,
        choice: &Choice,
        any_method: bool,
    ) -> Vec<Request> {
        let Some(names) = names else {
            let fit = choice.requests.iter().filter(|request| self.unfit(request, any_method).is_none());
            let fit: Vec<Request> = fit.cloned().collect();
            if fit.is_empty() && !choice.incomplete {
                let message = "none of `test_traffic.requests` is a GET or HEAD that needs no other before it";
                self.judge.note(self.wrong(place, message));
            }
            return fit;
        };
        if names.is_empty() {
            self.judge.note(self.wrong(place, "expected the name of at least one of `test_traffic.requests`"));
        }
        names.iter().filter_map(|name| self.one(name, choice, any_method)).collect()
    }

    fn one(&self, name: &Spanned<String>, choice: &Choice, any_method: bool) -> Option<Request> {
        let goes_by = |request: &Request| request.given_name.clone().unwrap_or_else(|| request.name.clone());
        let found = choice.requests.iter().find(|request| goes_by(request) == name.value);
        let why = match found {
            None if choice.incomplete => return None,
            None => {
                let known: Vec<String> = choice.requests.iter().map(goes_by).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let valid = one_of(&name.value, &known);
                format!("no request of `test_traffic.requests` is called `{}`; {valid}", name.value)
            }
            Some(request) => match self.unfit(request, any_method) {
                None => return Some(request.clone()),
                Some(why) => format!("`{}` {why}", name.value),
            },
        };
        self.judge.note(self.wrong(name.referenced, why));
        None
    }

    /// Why a request cannot be sent on its own.
    fn unfit(&self, request: &Request, any_method: bool) -> Option<String> {
        if !any_method && !request.is_safe() {
            let method = request.method;
            return Some(format!("sends {method}, which may change something; only GET and HEAD are sent here"));
        }
        let own = |name: &String| !VARIABLES.contains(&name.as_str()) && !self.secrets.contains(name);
        let captured = request.variables().into_iter().find(own)?;
        Some(format!("needs `${{{captured}}}` of an earlier request; here each is sent on its own"))
    }
}
