//! What Strimzi's objects came to a moment ago. They are not watched, since the cluster may not know the kinds, and a
//! thousand pipelines that read them in every look would be most of what the API server is asked.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use batchpipe_api::pipeline::BatchPipeline;
use kube::Client;

use super::{ResolveError, ResolvedKafka, Unresolved, resolve};

/// How long it counts. What could not be resolved does not count at all: it is read again in the next look.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Everything that decides what is read: the namespace, the cluster, the listener and the user.
type Question = (String, String, String, Option<String>);

/// What was resolved lately, of all pipelines: those that ask the same share the answer.
#[derive(Debug, Default)]
pub struct Recent(Mutex<HashMap<Question, (Instant, ResolvedKafka)>>);

impl Recent {
    /// The same as [`resolve`], from memory while that is fresh.
    pub async fn resolve(
        &self,
        client: &Client,
        object: &BatchPipeline,
    ) -> Result<Result<ResolvedKafka, Unresolved>, ResolveError> {
        let Some(question) = question(object) else { return resolve(client, object).await };
        let asked = Instant::now();
        if let Some(known) = self.get(&question, asked) {
            return Ok(Ok(known));
        }
        let answer = resolve(client, object).await?;
        if let Ok(resolved) = &answer {
            self.note(question, resolved.clone(), asked);
        }
        Ok(answer)
    }

    fn get(&self, question: &Question, now: Instant) -> Option<ResolvedKafka> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, resolved) = known.get(question)?;
        is_fresh(*asked, now).then(|| resolved.clone())
    }

    fn note(&self, question: Question, resolved: ResolvedKafka, asked: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| is_fresh(*at, asked));
        known.insert(question, (asked, resolved));
    }
}

fn is_fresh(asked: Instant, now: Instant) -> bool {
    now.saturating_duration_since(asked) < MAX_AGE
}

/// What a pipeline asks of Strimzi; absent: nothing.
fn question(object: &BatchPipeline) -> Option<Question> {
    let strimzi = object.spec.kafka.strimzi.as_ref()?;
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let (cluster, listener) = (strimzi.cluster.clone(), strimzi.listener.clone());
    Some((namespace, cluster, listener, strimzi.user.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(user: &str) -> Question {
        let user = Some(user.to_owned());
        ("a".to_owned(), "lab".to_owned(), "tls".to_owned(), user)
    }

    fn answer(address: &str) -> ResolvedKafka {
        let (bootstrap_servers, cluster) = (address.to_owned(), "lab".to_owned());
        ResolvedKafka { bootstrap_servers, tls: None, sasl: None, cluster, complaint: None }
    }

    #[test]
    fn an_answer_counts_for_thirty_seconds_and_for_the_same_question_only() {
        let (recent, now) = (Recent::default(), Instant::now());
        recent.note(ask("me"), answer("k:1"), now);
        let just_before = now + Duration::from_millis(29_999);
        assert_eq!(recent.get(&ask("me"), just_before), Some(answer("k:1")));
        assert_eq!(recent.get(&ask("me"), now + MAX_AGE), None);
        assert_eq!(recent.get(&ask("you"), now), None);
    }

    #[test]
    fn answers_that_count_no_more_are_not_held() {
        let (recent, now) = (Recent::default(), Instant::now());
        recent.note(ask("me"), answer("k:1"), now);
        recent.note(ask("you"), answer("k:1"), now + MAX_AGE);
        assert_eq!(recent.0.lock().unwrap().len(), 1);
    }
}
