//! The provider: answers every key with a greeting. Put your backend where `get` is.
#![forbid(unsafe_code)]

use crate::json;
use crate::plugin::{Call, Failure, Outcome, Request, Secret, Status, Store};

pub struct Hello {
    greeting: String,
}

impl Store for Hello {
    fn open(_: &Call, request: &Request) -> Outcome<Self> {
        match json::string(request.json(), &["spec", "greeting"]) {
            Some(greeting) => Ok(Hello { greeting }),
            None => Err(Failure::new(Status::Config, "spec.provider.hello-rust.greeting is required")),
        }
    }

    fn get(&self, call: &Call, request: &Request) -> Outcome<()> {
        let key = json::string(request.json(), &["key"])
            .ok_or_else(|| Failure::new(Status::Internal, "the request has no key"))?;
        let mut answer = Secret::default();
        answer.add(self.greeting.as_bytes());
        answer.add(b", ");
        answer.add(key.as_bytes());
        call.emit_value(&answer)
    }
}
