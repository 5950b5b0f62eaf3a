//! One event of every kind with everything known. Literals name every field, so that a new one cannot be forgotten.

use chrono::{DateTime, Utc};

use crate::data::ci::{Analysis, Artifact, Build, Coverage, PipelineRun, TaskRun, Test};
use crate::data::forge::{Branch, Change, Comment, Commit, Person, Push, Release, Repository, Review};
use crate::data::runtime::{Deployment, Environment, Incident, Node, Pod, Vulnerability};
use crate::data::work::{Action, Message, Ticket};
use crate::data::{Data, Manner, Outcome, Verdict};
use crate::event::{Event, Origin, Recorded};
use crate::ids::{DeliveryOffset, EventId, EventOffset, OrderKey};
use crate::kind::{Family, Kind};
use crate::mark::Mark;

pub(crate) fn recorded(kind: Kind, data: Data) -> Recorded {
    let source = "forge/acme".parse().unwrap();
    Recorded {
        offset: EventOffset(42),
        recorded_at: at("2026-03-01T12:00:01.5Z").unwrap(),
        revision: 0,
        origin: Origin { source, delivery: DeliveryOffset(7), index: 0 },
        event: Event {
            id: id(),
            kind,
            source: "https://forge.example/acme/shop".to_owned(),
            subject: "12".to_owned(),
            time: at("2026-03-01T12:00:00Z").unwrap(),
            key: OrderKey("forge.example/acme/shop".to_owned()),
            data,
        },
    }
}

pub(crate) fn complete(kind: &Kind) -> Data {
    match kind.family() {
        Family::Action => Data::Action(action()),
        Family::Analysis => Data::Analysis(analysis()),
        Family::Artifact => Data::Artifact(artifact()),
        Family::Branch => Data::Branch(Branch { repository: repo(), branch: text("main"), sha: some("c0ffee") }),
        Family::Build => Data::Build(Build { id: text("b"), repository: some("h/o/n"), artifact: some("pkg:oci/x@1") }),
        Family::Change => Data::Change(Box::new(change())),
        Family::Comment => Data::Comment(Box::new(comment())),
        Family::Coverage => Data::Coverage(coverage()),
        Family::Deployment => Data::Deployment(Box::new(deployment())),
        Family::Environment => {
            Data::Environment(Environment { id: text("e"), name: some("prod"), url: some("https://prod.example") })
        }
        Family::Incident => Data::Incident(Box::new(incident())),
        Family::Message => Data::Message(message()),
        Family::Node => Data::Node(node()),
        Family::PipelineRun => Data::PipelineRun(Box::new(pipeline_run())),
        Family::Pod => Data::Pod(Box::new(pod())),
        Family::Push => Data::Push(Box::new(push())),
        Family::Release => Data::Release(release()),
        Family::Repository => Data::Repository(repository()),
        Family::Review => Data::Review(Box::new(review())),
        Family::TaskRun => Data::TaskRun(Box::new(task_run())),
        Family::Test => Data::Test(Box::new(test())),
        Family::Ticket => Data::Ticket(Box::new(ticket())),
        Family::Vulnerability => Data::Vulnerability(vulnerability()),
        Family::Other => Data::AsReceived,
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn repo() -> String {
    text("forge.example/acme/shop")
}

fn at(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

fn id() -> EventId {
    EventId::derive(&"forge/acme".parse().unwrap(), &"1".parse().unwrap(), 0)
}

fn person(handle: &str) -> Option<Person> {
    Some(Person { handle: text(handle), bot: handle == "robot" })
}

fn action() -> Action {
    Action {
        target: some("#shop"),
        url: some("https://chat.example/2"),
        toil_minutes: Some(1),
        in_doubt: true,
        id: text("a"),
        bot: some("greeter"),
        action: some("comment"),
        cause: Some(id()),
        repository: Some(repo()),
        service: some("shop"),
        outcome: Some(Outcome::Success),
    }
}

fn analysis() -> Analysis {
    Analysis {
        repository: Some(repo()),
        service: some("shop"),
        sha: some("c0ffee"),
        tool: some("lint"),
        findings: [(text("major"), 3), (text("minor"), 0)].into(),
        measured_at: at("2026-03-01T11:00:00Z"),
    }
}

fn artifact() -> Artifact {
    Artifact {
        id: text("pkg:oci/shop@sha256%3A0b31"),
        repository: Some(repo()),
        version: some("1.2.3"),
        sha: some("c0ffee"),
        url: some("https://registry.example/shop"),
        change: some("12"),
        signature: some("MEYCIQ"),
    }
}

fn change() -> Change {
    Change {
        repository: repo(),
        number: Some(12),
        title: some("Sell more"),
        url: some("https://forge.example/acme/shop/pull/12"),
        author: person("ada"),
        draft: true,
        base_branch: some("main"),
        head_branch: some("more"),
        default_branch: some("main"),
        head_sha: some("c0ffee"),
        merge_sha: some("decade"),
        labels: vec![text("fast")],
        commits: Some(2),
        files: Some(3),
        additions: Some(4),
        deletions: Some(5),
        first_commit_at: at("2026-02-27T08:00:00Z"),
        opened_at: at("2026-02-27T09:00:00Z"),
        ready_at: at("2026-02-27T10:00:00Z"),
        merged_at: at("2026-03-01T12:00:00Z"),
        closed_at: at("2026-03-01T12:00:00Z"),
        pushed_at: at("2026-02-28T12:00:00.123456789Z"),
        reverts: some("#9"),
        direct: true,
        paths: vec![text("src")],
    }
}

fn comment() -> Comment {
    Comment {
        origin: mark(),
        repository: repo(),
        number: Some(12),
        url: some("https://forge.example/acme/shop/pull/12#1"),
        author: person("ada"),
        change_author: person("bob"),
        text: some("/deploy\nnow"),
        path: some("src/main.rs"),
        created_at: at("2026-03-01T11:00:00Z"),
    }
}

fn coverage() -> Coverage {
    Coverage {
        repository: Some(repo()),
        service: some("shop"),
        sha: some("c0ffee"),
        tool: some("cov"),
        ratio: Some(0.1 + 0.2),
        measured_at: at("2026-03-01T11:00:00Z"),
    }
}

fn deployment() -> Deployment {
    Deployment {
        id: text("forge.example/acme/shop/deployments/1"),
        repository: Some(repo()),
        service: some("shop"),
        environment: some("prod"),
        production: Some(true),
        sha: some("c0ffee"),
        git_ref: some("main"),
        version: some("1.2.3"),
        artifact: some("pkg:oci/shop@sha256%3A0b31"),
        url: some("https://deploy.example/1"),
        started_at: at("2026-03-01T11:55:00Z"),
        finished_at: at("2026-03-01T12:00:00Z"),
        outcome: Some(Outcome::Cancelled),
        manner: Some(Manner::Hotfix),
        fixes: some("forge.example/acme/shop/deployments/0"),
    }
}

fn incident() -> Incident {
    Incident {
        id: text("i"),
        service: some("shop"),
        repository: Some(repo()),
        environment: some("prod"),
        severity: some("P1"),
        description: some("slow"),
        url: some("https://pager.example/i"),
        artifact: some("pkg:oci/shop@sha256%3A0b31"),
        deployment: some("1.2.3"),
        detected_at: at("2026-03-01T12:10:00Z"),
        acknowledged_at: at("2026-03-01T12:11:00Z"),
        resolved_at: at("2026-03-01T12:12:00Z"),
    }
}

fn node() -> Node {
    Node {
        id: text("n"),
        cluster: some("c"),
        node: some("n1"),
        pressure: some("MemoryPressure"),
        message: some("kubelet has insufficient memory available"),
        since: at("2026-03-01T11:59:00Z"),
    }
}

fn mark() -> Option<Mark> {
    Some("killed-pods/00000000-0000-5000-8000-000000000000/0.1".parse().unwrap())
}

fn message() -> Message {
    Message {
        id: some("1.1"),
        channel: some("#shop"),
        thread: some("1.0"),
        author: person("ada"),
        text: some("done"),
        url: some("https://chat.example/1"),
        button: some("ack"),
        value: some("incident-1"),
        command: some("/deploys"),
        origin: mark(),
    }
}

fn pipeline_run() -> PipelineRun {
    PipelineRun {
        id: text("forge.example/acme/shop/checks/1"),
        repository: Some(repo()),
        pipeline: some("ci"),
        url: some("https://ci.example/1"),
        sha: some("c0ffee"),
        branch: some("main"),
        default_branch: some("main"),
        change: Some(12),
        attempt: 2,
        queued_at: at("2026-03-01T11:00:00Z"),
        started_at: at("2026-03-01T11:01:00Z"),
        finished_at: at("2026-03-01T11:02:00Z"),
        outcome: Some(Outcome::Cancelled),
    }
}

fn pod() -> Pod {
    Pod {
        uid: some("u"),
        synthetic: true,
        id: text("c/n/p"),
        cluster: some("c"),
        namespace: some("n"),
        pod: some("shop-1"),
        container: some("shop"),
        workload: some("Deployment/shop"),
        node: some("n1"),
        service: some("shop"),
        environment: some("prod"),
        image: some("shop:1"),
        reason: some("OOMKilled"),
        exit_code: Some(-9),
        restarts: Some(3),
        killed_at: at("2026-03-01T11:00:00Z"),
    }
}

fn push() -> Push {
    Push {
        repository: repo(),
        branch: some("main"),
        default_branch: some("main"),
        before: some("decade"),
        after: some("c0ffee"),
        forced: true,
        pusher: person("robot"),
        commits: vec![Commit {
            distinct: Some(true),
            sha: text("c0ffee"),
            parents: Some(vec![text("decade")]),
            authored_at: at("2026-03-01T10:00:00Z"),
            committed_at: at("2026-03-01T11:00:00Z"),
        }],
    }
}

fn release() -> Release {
    Release {
        repository: repo(),
        tag: text("v1.2.3"),
        sha: some("c0ffee"),
        url: some("https://forge.example/acme/shop/releases/1"),
        prerelease: true,
        released_at: at("2026-03-01T11:00:00Z"),
    }
}

fn repository() -> Repository {
    Repository {
        repository: repo(),
        name: some("shop"),
        owner: some("acme"),
        url: some("https://forge.example/acme/shop.git"),
        view_url: some("https://forge.example/acme/shop"),
        default_branch: some("main"),
        action: some("renamed"),
    }
}

fn review() -> Review {
    Review {
        repository: repo(),
        number: Some(12),
        url: some("https://forge.example/acme/shop/pull/12#r1"),
        reviewer: person("bob"),
        team: some("shop"),
        author: person("ada"),
        verdict: Some(Verdict::ChangesRequested),
        head_sha: some("c0ffee"),
        submitted_at: at("2026-03-01T11:00:00Z"),
    }
}

fn task_run() -> TaskRun {
    TaskRun {
        id: text("t"),
        run: some("forge.example/acme/shop/checks/1"),
        repository: Some(repo()),
        task: some("lint"),
        url: some("https://ci.example/1/lint"),
        sha: some("c0ffee"),
        branch: some("main"),
        attempt: 1,
        started_at: at("2026-03-01T11:01:00Z"),
        finished_at: at("2026-03-01T11:02:00Z"),
        outcome: Some(Outcome::Error),
    }
}

fn test() -> Test {
    Test {
        id: text("t"),
        name: some("login"),
        suite_run: some("s"),
        environment: some("prod"),
        outcome: Some(Outcome::Failure),
        severity: some("high"),
        reason: some("no route"),
        url: some("https://ci.example/t"),
        output_type: some("report"),
        format: some("text/html"),
    }
}

fn ticket() -> Ticket {
    Ticket {
        id: text("forge.example/acme/shop#3"),
        repository: Some(repo()),
        summary: some("broken"),
        url: some("https://forge.example/acme/shop/issues/3"),
        creator: person("ada"),
        assignees: vec![Person { handle: text("bob"), bot: false }],
        labels: vec![text("bug")],
        milestone: some("1"),
        ticket_type: some("bug"),
        priority: some("urgent"),
        updated_by: person("ada"),
        action: some("labeled"),
        resolution: some("completed"),
    }
}

fn vulnerability() -> Vulnerability {
    Vulnerability {
        id: text("CVE-1"),
        repository: Some(repo()),
        severity: some("high"),
        summary: some("bad"),
        url: some("https://vuln.example/1"),
        detected_at: at("2026-03-01T11:00:00Z"),
        resolved_at: at("2026-03-01T12:00:00Z"),
    }
}
