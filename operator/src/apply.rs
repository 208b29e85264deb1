//! apply: the only writer of children. Server-side apply of what differs from the cache; deletes by uid what is no
//! longer wanted.

/// What happened to one child that could not be applied or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kind and name, for example `Deployment telemetry-producer`.
    pub object: String,
    /// A reason of [`batchpipe_api::conditions::reasons`]: `Conflict`, `Forbidden` or `ApiError`.
    pub reason: &'static str,
    /// What was found and what to do.
    pub message: String,
    /// Whether trying again may help without a change from outside.
    pub is_passing: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The children that were written, as `Kind name`; empty when everything was as it should be.
    pub written: Vec<String>,
    /// The children that were deleted.
    pub deleted: Vec<String>,
    /// What did not work; the other children were applied all the same.
    pub failures: Vec<Failure>,
}
