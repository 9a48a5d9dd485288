//! Owns what a client token promises: the same token and request give the same outcome. Knows nothing of what is asked.

use std::collections::HashMap;

use crate::refusal::Refusal;

/// "Ensuring idempotency in Amazon EC2 API requests": up to 64 ASCII characters.
const MAX_TOKEN_BYTES: usize = 64;

/// What was asked with which token, and what came of it. Requests that failed are not here: their token may be used again.
#[derive(Debug)]
pub(super) struct Tokens<Q, O>(HashMap<String, (Q, O)>);

impl<Q, O> Default for Tokens<Q, O> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Q: PartialEq, O> Tokens<Q, O> {
    /// The outcome that this token already has.
    ///
    /// # Errors
    /// `IdempotentParameterMismatch` when the token belongs to another request.
    pub(super) fn outcome(&self, token: Option<&String>, request: &Q) -> Result<Option<&O>, Refusal> {
        let Some(token) = token else {
            return Ok(None);
        };
        if token.len() > MAX_TOKEN_BYTES || !token.is_ascii() {
            let message =
                format!("Value ({token}) for parameter ClientToken is invalid. It may have up to {MAX_TOKEN_BYTES} ASCII characters.");
            return Err(Refusal::InvalidParameterValue(message));
        }
        match self.0.get(token) {
            None => Ok(None),
            Some((earlier, outcome)) if earlier == request => Ok(Some(outcome)),
            Some(_) => Err(Refusal::IdempotentParameterMismatch(token.clone())),
        }
    }

    /// Keeps the outcome of a request that succeeded.
    pub(super) fn keep(&mut self, token: Option<String>, request: Q, outcome: O) {
        if let Some(token) = token {
            self.0.insert(token, (request, outcome));
        }
    }
}
