//! From settings to what librdkafka is told. Nothing else in the program names one of its options.

use rdkafka::ClientConfig;

use crate::storage::{KafkaSettings, Sasl};

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Produces while a sender waits for the answer.
    Direct,
    /// Produces what is kept elsewhere until the brokers have it.
    Patient,
    /// Reads the topic of deliveries together with the other processes.
    Indexer,
    /// Looks at the end of a topic.
    Tail,
    /// Makes topics and looks at their settings.
    Admin,
}

/// A sender that waits hears "come again" after this: the least patient of them hang up after 10 s.
const DIRECT_TIMEOUT_MS: u32 = 6_000;

/// What waits for the brokers in memory, in KiB: as much as may wait for the writer of an embedded log.
const QUEUE_KIB_MAX: usize = crate::streams::QUEUED_BYTES_MAX >> 10;

/// Messages that wait for the brokers in memory: each costs some 200 bytes beside its own.
const QUEUE_MESSAGES_MAX: u32 = 100_000;

/// What is fetched ahead of the indexer, in KiB.
const FETCHED_KIB_MAX: u32 = 32 << 10;

/// The smallest limit that the client library takes for what is fetched at once, and what brokers have by default.
const MESSAGE_BYTES_MIN: usize = 1_000_000;

/// The consumer group that takes deliveries into the log.
pub(super) fn index_group(settings: &KafkaSettings) -> String {
    format!("{}.index", settings.prefix)
}

/// The options of a client.
pub(super) fn client(settings: &KafkaSettings, role: Role) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", settings.brokers.join(","));
    config.set("client.id", "devhose");
    config.set("socket.keepalive.enable", "true");
    // Brokers that come back are found within seconds.
    config.set("reconnect.backoff.max.ms", "2000");
    security(&mut config, settings);
    match role {
        Role::Direct | Role::Patient => producer(&mut config, settings, role),
        Role::Indexer => {
            reader(&mut config, settings);
            config.set("group.id", index_group(settings));
            config.set("partition.assignment.strategy", "cooperative-sticky");
            config.set("session.timeout.ms", "45000");
            // A batch that cannot be committed is given up long before: see the time-outs of PostgreSQL.
            config.set("max.poll.interval.ms", "300000");
            if let Some(instance) = &settings.instance {
                config.set("group.instance.id", instance);
            }
        }
        Role::Tail => {
            reader(&mut config, settings);
            // Never joined: the library wants a name wherever partitions are assigned by hand.
            config.set("group.id", format!("{}.publish", settings.prefix));
            config.set("enable.partition.eof", "true");
        }
        Role::Admin => {}
    }
    config
}

fn producer(config: &mut ClientConfig, settings: &KafkaSettings, role: Role) {
    // None: what is kept until the brokers have it is sent for as long as it takes.
    let timeout = if role == Role::Direct { DIRECT_TIMEOUT_MS } else { 0 };
    config.set("enable.idempotence", "true");
    config.set("acks", "all");
    config.set("delivery.timeout.ms", timeout.to_string());
    config.set("linger.ms", "5");
    config.set("compression.type", "zstd");
    config.set("queue.buffering.max.kbytes", QUEUE_KIB_MAX.to_string());
    config.set("queue.buffering.max.messages", QUEUE_MESSAGES_MAX.to_string());
    config.set("message.max.bytes", settings.message_bytes_max.to_string());
    // What every other client does: the same key goes to the same partition, whoever writes.
    config.set("partitioner", "murmur2_random");
}

fn reader(config: &mut ClientConfig, settings: &KafkaSettings) {
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("auto.offset.reset", "earliest");
    config.set("isolation.level", "read_committed");
    config.set("check.crcs", "true");
    config.set("allow.auto.create.topics", "false");
    config.set("queued.max.messages.kbytes", FETCHED_KIB_MAX.to_string());
    config.set("max.partition.fetch.bytes", settings.message_bytes_max.max(MESSAGE_BYTES_MIN).to_string());
}

fn security(config: &mut ClientConfig, settings: &KafkaSettings) {
    let security = &settings.security;
    config.set(
        "security.protocol",
        match (&security.tls, &security.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        },
    );
    if let Some(tls) = &security.tls {
        config.set("enable.ssl.certificate.verification", "true");
        config.set("ssl.endpoint.identification.algorithm", "https");
        let system = "probe".to_owned();
        config.set("ssl.ca.location", tls.ca_file.as_ref().map_or(system, |file| file.display().to_string()));
        if let Some(file) = &tls.certificate_file {
            config.set("ssl.certificate.location", file.display().to_string());
        }
        if let Some(file) = &tls.key_file {
            config.set("ssl.key.location", file.display().to_string());
        }
    }
    let (mechanism, login) = match &security.sasl {
        None => return,
        Some(Sasl::Plain { user, password }) => ("PLAIN", Some((user, password))),
        Some(Sasl::ScramSha256 { user, password }) => ("SCRAM-SHA-256", Some((user, password))),
        Some(Sasl::ScramSha512 { user, password }) => ("SCRAM-SHA-512", Some((user, password))),
        // Its tokens come from `token.rs`.
        Some(Sasl::OauthBearer { .. }) => ("OAUTHBEARER", None),
    };
    config.set("sasl.mechanism", mechanism);
    if let Some((user, password)) = login {
        config.set("sasl.username", user);
        config.set("sasl.password", password);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Security, Tls};

    fn settings() -> KafkaSettings {
        KafkaSettings {
            brokers: vec!["one:9092".to_owned(), "two:9092".to_owned()],
            security: Security::default(),
            prefix: "devhose".to_owned(),
            partitions: 6,
            replication: 3,
            min_insync_replicas: 2,
            retention_hours: Some(720),
            message_bytes_max: 1_000_000,
            spool: None,
            instance: None,
        }
    }

    fn told(settings: &KafkaSettings, role: Role) -> String {
        let config = client(settings, role);
        // The library itself says whether it knows every one of them.
        config.create_native_config().unwrap();
        config.config_map().iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_producer_that_a_sender_waits_for_gives_up_before_the_sender_does() {
        insta::assert_snapshot!(told(&settings(), Role::Direct), @"
        acks = all
        bootstrap.servers = one:9092,two:9092
        client.id = devhose
        compression.type = zstd
        delivery.timeout.ms = 6000
        enable.idempotence = true
        linger.ms = 5
        message.max.bytes = 1000000
        partitioner = murmur2_random
        queue.buffering.max.kbytes = 65536
        queue.buffering.max.messages = 100000
        reconnect.backoff.max.ms = 2000
        security.protocol = plaintext
        socket.keepalive.enable = true
        ");
    }

    #[test]
    fn a_producer_of_what_is_kept_elsewhere_never_gives_up() {
        let (direct, patient) = (told(&settings(), Role::Direct), told(&settings(), Role::Patient));
        assert_eq!(direct.replace("delivery.timeout.ms = 6000", "delivery.timeout.ms = 0"), patient);
    }

    #[test]
    fn the_indexer_keeps_its_position_itself() {
        let settings = KafkaSettings { instance: Some("a-1".to_owned()), ..settings() };
        insta::assert_snapshot!(told(&settings, Role::Indexer), @"
        allow.auto.create.topics = false
        auto.offset.reset = earliest
        bootstrap.servers = one:9092,two:9092
        check.crcs = true
        client.id = devhose
        enable.auto.commit = false
        enable.auto.offset.store = false
        group.id = devhose.index
        group.instance.id = a-1
        isolation.level = read_committed
        max.partition.fetch.bytes = 1000000
        max.poll.interval.ms = 300000
        partition.assignment.strategy = cooperative-sticky
        queued.max.messages.kbytes = 32768
        reconnect.backoff.max.ms = 2000
        security.protocol = plaintext
        session.timeout.ms = 45000
        socket.keepalive.enable = true
        ");
    }

    #[test]
    fn names_of_certificates_are_checked_and_passwords_not_shown() {
        let tls = Tls {
            ca_file: Some("/etc/ca.pem".into()),
            certificate_file: Some("/etc/own.pem".into()),
            key_file: Some("/etc/own.key".into()),
        };
        let sasl = Sasl::ScramSha512 { user: "devhose".to_owned(), password: "secret".to_owned() };
        let mut settings = settings();
        settings.security = Security { tls: Some(tls), sasl: Some(sasl) };
        // Reading the files is left to the client itself.
        let config = client(&settings, Role::Admin);
        let told: Vec<_> = config.config_map().iter().map(|(name, value)| format!("{name} = {value}")).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        bootstrap.servers = one:9092,two:9092
        client.id = devhose
        enable.ssl.certificate.verification = true
        reconnect.backoff.max.ms = 2000
        sasl.mechanism = SCRAM-SHA-512
        sasl.password = [sanitized for safety]
        sasl.username = devhose
        security.protocol = sasl_ssl
        socket.keepalive.enable = true
        ssl.ca.location = /etc/ca.pem
        ssl.certificate.location = /etc/own.pem
        ssl.endpoint.identification.algorithm = https
        ssl.key.location = /etc/own.key
        ");
    }
}
