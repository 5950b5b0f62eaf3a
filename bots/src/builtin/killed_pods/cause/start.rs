//! Containers that could not be started, and images that could not be had.

use super::container::PREPARING;
use super::facts::Facts;
use super::json::{quote, text};
use super::{Cause, Confidence, Verdict};

/// A shell reports a missing command of its script with the same codes, but then it has run for a while.
const STARTING_SECONDS: i64 = 60;

/// Reasons of the kubelet for which there is no image.
const IMAGE_REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];

/// Reasons of the kubelet and of runtimes for which a container does not start.
const START_REASONS: [&str; 12] = [
    "StartError",
    "ContainerCannotRun",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreStartHookError",
    "PreCreateHookError",
    "PostStartHookError",
    "CreatePodSandboxError",
    "ConfigPodSandboxError",
    "RunInitContainerError",
    "ErrPrestartHook",
];

/// It was not started: no image, no configuration, no command, no place.
pub(super) fn not_started(facts: &Facts<'_>) -> Option<Verdict> {
    image(facts)
        .or_else(|| waits(facts))
        .or_else(|| ended_at_start(facts))
        .or_else(|| hook_failed(facts))
        .or_else(|| refused(facts))
        .or_else(|| not_prepared(facts))
}

fn image(facts: &Facts<'_>) -> Option<Verdict> {
    let waiting = facts.container.and_then(|container| container.waiting());
    let message = facts.container.and_then(|container| container.waiting_message()).unwrap_or_default();
    let told = facts.events("Failed").filter(|event| event.message.starts_with("Failed to pull image"));
    let told = told.max_by_key(|event| event.last);
    let is_image = waiting.is_some_and(|reason| IMAGE_REASONS.contains(&reason));
    let is_only_told =
        facts.exit_code().is_none() && waiting.is_none_or(|reason| PREPARING.contains(&reason)) && !runs(facts);
    let is_known = is_image || (is_only_told && told.is_some());
    if !is_known {
        return None;
    }
    // `Back-off pulling image` says nothing; the event before it says why.
    let why = told.map(|event| event.message).filter(|_| message.is_empty() || message.starts_with("Back-off"));
    let why = why.unwrap_or(message);
    let name = facts
        .container
        .and_then(|container| text(container.spec, "/image").or_else(|| text(container.status, "/image")));
    let sentence = format!(
        "{} cannot start because its image {} cannot be had{}.",
        facts.subject(),
        quote(name.unwrap_or("(not named)")),
        image_meaning(waiting.unwrap_or_default(), why)
    );
    let todo = format!(
        "Check the name and the tag of the image, that it was pushed, and the imagePullSecrets of the pod: {}",
        facts.kubectl("describe pod")
    );
    let confidence = if is_image { Confidence::High } else { Confidence::Medium };
    let state = waiting.map(|reason| format!("state.waiting.reason = {reason}: {}", quote(message)));
    Some(
        Verdict::new(Cause::Image, confidence, sentence, todo)
            .because(state)
            .because(told.map(|event| event.evidence())),
    )
}

fn image_meaning(reason: &str, message: &str) -> &'static str {
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match reason {
        "InvalidImageName" => ": the name is not valid",
        "ErrImageNeverPull" => ": it is not on the node, and the pod forbids to pull it",
        "SignatureValidationFailed" => ": its signature is not accepted",
        _ if has(&["unauthorized", "denied", "forbidden", "authentication required", "no basic auth"]) => {
            ": the registry does not let the node have it, or it does not exist"
        }
        _ if has(&["not found", "manifest unknown", "does not exist", "no such host"]) => ": there is no such image",
        _ if has(&["toomanyrequests", "rate limit"]) => ": the registry limits how often it is asked",
        _ if has(&["x509", "certificate", "tls"]) => ": the registry's certificate is not trusted",
        _ if has(&["no match for platform", "no matching manifest"]) => ": it is not built for the node's processor",
        _ if has(&["timeout", "connection refused", "deadline", "i/o"]) => ": the registry does not answer",
        _ if has(&["no space left"]) => ": the disk of the node is full",
        _ => "",
    }
}

fn runs(facts: &Facts<'_>) -> bool {
    facts.container.is_some_and(|container| container.is_running())
}

fn waits(facts: &Facts<'_>) -> Option<Verdict> {
    let container = facts.container?;
    let reason = container.waiting().filter(|reason| START_REASONS.contains(reason))?;
    let message =
        container.waiting_message().or_else(|| container.end.and_then(|end| end.complaint())).unwrap_or(reason);
    let verdict = start_error(facts, message, Confidence::High);
    Some(verdict.because([format!("state.waiting.reason = {reason}: {}", quote(message))]))
}

fn ended_at_start(facts: &Facts<'_>) -> Option<Verdict> {
    let end = facts.container?.end?;
    let code = end.exit_code().filter(|_| !facts.is_windows());
    let meaning = match code {
        Some(126) => "its command cannot be executed",
        Some(127) => "its command was not found",
        Some(128) => "its command could not be started",
        _ => "the runtime could not start it",
    };
    let is_reason = START_REASONS.contains(&end.reason());
    if !is_reason && !matches!(code, Some(126..=128)) {
        return None;
    }
    let uptime = end.uptime().filter(|uptime| uptime.num_seconds() > STARTING_SECONDS && !is_reason);
    let Some(uptime) = uptime else {
        return Some(start_error(facts, end.complaint().unwrap_or(meaning), Confidence::High));
    };
    let mut verdict = start_error(facts, meaning, Confidence::Medium);
    let code = code.unwrap_or_default();
    verdict.sentence =
        format!("{} ended after {} with code {code}: {meaning}.", facts.subject(), super::deletion::span(uptime));
    Some(verdict)
}

fn start_error(facts: &Facts<'_>, message: &str, confidence: Confidence) -> Verdict {
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let todo = if has(&["oom-killed", "memory limit too low"]) {
        "Raise the memory limit: it is too low even to start the container."
    } else if has(&["secret", "configmap", "couldn't find key"]) {
        "Create the Secret or ConfigMap that is missing, or correct its name or key in the pod's definition."
    } else if has(&["permission denied"]) {
        "Make the command executable in the image, or correct runAsUser."
    } else if has(&["exec format error"]) {
        "Build the image for the processor of the node."
    } else if has(&["not found", "no such file"]) {
        "Correct the command of the container, or put it into the image; a script needs its interpreter and \
         Unix line ends."
    } else if has(&["runasnonroot", "non-root", "will run as root"]) {
        "Set runAsUser to a number that is not 0, or let the image say one."
    } else {
        "Read what the runtime says and correct the pod's definition or the image."
    };
    let sentence = format!("{} could not be started: {}.", facts.subject(), quote(core(message)).trim_end_matches('.'));
    Verdict::new(Cause::StartError, confidence, sentence, todo.to_owned())
}

/// What went wrong, without the way that it took through the layers of the runtime.
fn core(message: &str) -> &str {
    let inner = message.rsplit_once("unable to start container process: ").map_or(message, |(_, inner)| inner);
    inner.trim_end_matches(": unknown")
}

fn hook_failed(facts: &Facts<'_>) -> Option<Verdict> {
    let (from, to) = super::seen::around(facts.ended, facts.grace().saturating_add(30), 30);
    let event = facts.events("FailedPostStartHook").find(|event| event.recurs_between(from, to))?;
    let is_stopped = facts.ended_as_if_stopped() && facts.exit_code().is_some();
    is_stopped.then(|| start_error(facts, event.message, Confidence::High).because([event.evidence()]))
}

/// The kubelet did not take the pod although it was given to its node: `OutOfmemory`, `UnexpectedAdmissionError`, ….
fn refused(facts: &Facts<'_>) -> Option<Verdict> {
    let (reason, message) = facts.pod_reason()?;
    let is_failed = text(facts.pod, "/status/phase") == Some("Failed");
    let never_ran = facts.containers.iter().all(|container| container.end.is_none());
    let said = if message.is_empty() { reason } else { message };
    let sentence = format!(
        "{} did not take pod {}: {}.",
        facts.node_words().replacen('n', "N", 1),
        facts.pod_name(),
        quote(said).trim_end_matches('.')
    );
    let todo = "Its owner tries another node; if that goes on, see what the pod asks for and the node does not have.";
    let verdict = Verdict::new(Cause::StartError, Confidence::Medium, sentence, todo.to_owned());
    (is_failed && never_ran)
        .then(|| verdict.because([format!("status.reason = {}: {}", quote(reason), quote(message))]))
}

/// The node cannot make the place for it: a volume, the network.
fn not_prepared(facts: &Facts<'_>) -> Option<Verdict> {
    let waiting = facts.container.and_then(|container| container.waiting());
    if facts.exit_code().is_some() || runs(facts) || waiting.is_some_and(|reason| !PREPARING.contains(&reason)) {
        return None;
    }
    let reasons = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"];
    let event = reasons.into_iter().find_map(|reason| facts.events(reason).max_by_key(|event| event.last))?;
    Some(start_error(facts, event.message, Confidence::Medium).because([event.evidence()]))
}
