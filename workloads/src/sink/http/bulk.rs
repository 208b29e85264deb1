//! What Elasticsearch and its kin answer to a bulk request: a verdict on each record. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::verdict::Verdict;

/// The answer is not one to a bulk request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BulkError {
    /// It is no JSON object that says whether there were errors.
    #[error("its answer is not one to a bulk request: check spec.consumer.sink.http.url")]
    Foreign,
    /// It speaks of another number of records.
    #[error("it answered for {answered} records of {sent}")]
    Count {
        /// How many it answers for.
        answered: usize,
        /// How many were sent.
        sent: usize,
    },
}

#[derive(Deserialize)]
struct Answer<'a> {
    errors: bool,
    /// Read only when there were errors, for it is long.
    #[serde(borrow)]
    items: Option<&'a RawValue>,
}

/// A record's answer, below the name of what was done with it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Item<'a>(#[serde(borrow)] BTreeMap<&'a str, Outcome>);

#[derive(Deserialize)]
struct Outcome {
    status: u16,
}

/// The verdicts on `sent` records, in order; nothing when all were delivered.
pub(super) fn parse(body: &[u8], sent: usize) -> Result<Option<Vec<Verdict>>, BulkError> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| BulkError::Foreign)?;
    if !answer.errors {
        return Ok(None);
    }
    let items = answer.items.map_or("[]", RawValue::get);
    let items: Vec<Item<'_>> = serde_json::from_str(items).map_err(|_| BulkError::Foreign)?;
    if items.len() != sent {
        return Err(BulkError::Count { answered: items.len(), sent });
    }
    let verdict = |Item(outcomes): &Item<'_>| {
        outcomes.values().next().map(|outcome| Verdict::on_item(outcome.status))
    };
    items.iter().map(verdict).collect::<Option<_>>().ok_or(BulkError::Foreign).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_needs_no_items() {
        assert_eq!(parse(br#"{"errors":false}"#, 3), Ok(None));
        let whole = br#"{"took":3,"errors":false,"items":[{"index":{"_id":"a","status":201}}]}"#;
        assert_eq!(parse(whole, 1), Ok(None));
    }

    #[test]
    fn each_record_has_its_own_verdict() {
        let body = br#"{"took":1,"errors":true,"items":[
            {"index":{"_index":"i","status":201}},
            {"index":{"status":429,"error":{"type":"es_rejected_execution_exception"}}},
            {"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"\"x\""}}}]}"#;
        let verdicts = [Verdict::Delivered, Verdict::Later, Verdict::Refused];
        assert_eq!(parse(body, 3), Ok(Some(verdicts.to_vec())));
    }

    #[test]
    fn an_answer_that_leaves_records_out_proves_nothing() {
        let body = br#"{"errors":true,"items":[{"index":{"status":201}}]}"#;
        assert_eq!(parse(body, 2), Err(BulkError::Count { answered: 1, sent: 2 }));
        assert_eq!(parse(br#"{"errors":true}"#, 2), Err(BulkError::Count { answered: 0, sent: 2 }));
    }

    #[test]
    fn any_other_answer_is_no_success() {
        for body in [&b""[..], b"<html>", b"{}", b"null", br#"{"errors":true,"items":[{}]}"#] {
            assert_eq!(parse(body, 1), Err(BulkError::Foreign));
        }
    }
}
