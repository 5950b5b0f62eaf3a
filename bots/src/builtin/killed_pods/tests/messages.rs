//! Messages as they read.

use super::stage::{Kill, Stage};

/// The stage after a kill was told.
fn told(name: &str) -> Stage {
    let kill = Kill::read(name);
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    stage.pass(chrono::TimeDelta::seconds(10));
    stage
}

fn message(name: &str) -> String {
    told(name).only().message.to_text()
}

fn thread(name: &str) -> String {
    told(name).thread().join("\n")
}

#[test]
fn a_container_out_of_memory_is_told() {
    insta::assert_snapshot!(message("oom"), @r"
    checkout killed: out of memory (512Mi limit)
    ============================================

    9 min after 4.2.1 was deployed. Container app used more memory than its limit of 512Mi and was killed by the kernel.

    Since 2026-11-20 03:02 UTC: 1 kill.

    What changed

    - 4.2.1 <https://cd.example/checkout/7> (9fceb02) was deployed at 2026-11-20 02:53 UTC, 9 min before this began.
    - New with this deployment: no OOMKilled in the 7 days before it.
    - Revision 7: image registry.example/checkout:4.2.0 → registry.example/checkout:4.2.1
    - Revision 7: memory limit 768Mi → 512Mi
    - Revision 7: environment variables CART_CACHE
    - 2 changes merged since 4.2.0:
    - #412 Lower the memory limit
    - #411 <https://git.example/acme/checkout/411> Keep carts in memory for <!channel> `fast` checkouts

    What to do: Look whether its memory grew slowly (a leak) or at once (load): kubectl -n payments logs checkout-7d9c5b8f6d-x2x4q -c app --previous. Raise the limit only if it needs more when it is well.

    Cause     oom.container_limit (high confidence)
    Exit      exit code 137 (SIGKILL) after 8 min
    Memory    498Mi of 512Mi (97 %)
    Restarts  1
    Now       running again since 03:02 UTC
    Replicas  1 of 6 hit, 5 ready
    Version   checkout:4.2.1 (6f0c2a4be1d7)
    Node      eu-1-pool-a-4kx2
    Team      payments
    Pod       payments/checkout-7d9c5b8f6d-x2x4q

        2026-11-20T03:01:39Z INFO order 39 placed
        2026-11-20T03:02:10Z WARN cart cache holds 1204311 carts <!channel> `rm -rf`
        java.lang.OutOfMemoryError: Java heap space
            at shop.checkout.CartCache.grow(CartCache.java:40)
            at shop.checkout.CartCache.grow(CartCache.java:41)
            at shop.checkout.CartCache.grow(CartCache.java:42)
            at shop.checkout.CartCache.grow(CartCache.java:43)
            … 6 more lines of the stack
            at shop.checkout.CartCache.grow(CartCache.java:50)
            at shop.checkout.CartCache.grow(CartCache.java:51)
        Terminating due to java.lang.OutOfMemoryError: Java heap space

    eu-1 / payments / Deployment/checkout · 10 API calls, 200 ms

    [Full report] [Acknowledge] [Snooze 1 h]
    ");
}

#[test]
fn a_crash_loop_is_told_with_the_stack_trace_folded() {
    insta::assert_snapshot!(message("crash_loop"), @r#"
    mailer keeps crashing: exit code 1
    ==================================

    Container app exited with code 1 after 2 s.

    Since 2026-11-20 03:02 UTC: 1 kill. The cluster waits ever longer before it starts it again.

    What changed

    - No deployment of mailer is known in the 14 days before.

    What to do: Read its last lines, and see whether this began with the last deployment: kubectl -n mail logs mailer-0 -c app --previous

    Cause     app.exit (high confidence)
    Exit      exit code 1 after 2 s
    Memory    limit 512Mi; use at death not known
    Restarts  5
    Now       waits 2m40s before the next start
    Replicas  1 of 1 hit, 0 ready
    Version   mailer:1.9.0 (aa11bb22cc33)
    Node      eu-1-pool-a-4kx2
    Team      messaging
    Pod       mail/mailer-0

        starting mailer 1.9.0
        connecting to smtp.example:25
        Traceback (most recent call last):
          File "/app/mailer/step1.py", line 10, in step1
            step2()
            … 12 more lines of the stack
          File "/app/mailer/step8.py", line 80, in step8
            step9()
          File "/app/mailer/smtp.py", line 33, in connect
            raise ConfigError("SMTP_PASSWORD is empty")
        mailer.ConfigError: SMTP_PASSWORD is empty

    eu-1 / mail / StatefulSet/mailer · 8 API calls, 160 ms · 3 answers missing, see the thread

    [Full report] [Acknowledge] [Snooze 1 h]
    "#);
}

#[test]
fn an_eviction_is_told() {
    insta::assert_snapshot!(message("eviction"), @r"
    search evicted: its node ran low on memory
    ==========================================

    Node eu-1-pool-a-4kx2 ran low on memory: 80Mi were left, 100Mi have to be, and the kubelet evicted pod search-6c4b-9zz. Container app was using 400Mi and had asked for 128Mi.

    Since 2026-11-20 03:02 UTC: 1 eviction.

    What changed

    - Revision 3 (search:8.0.0) began to roll out at 2026-11-20 02:50 UTC, 12 min before this began.
    - New with this deployment: no Evicted in the 7 days before it.

    What to do: Set the memory request to what the container really uses, so that the scheduler leaves room for it; then see who else on the node uses more than it asked for. See `kubectl -n search describe pod search-6c4b-9zz`

    Cause     evicted.node_pressure (high confidence)
    Memory    no limit; use at death not known
    Replicas  1 of 3 hit, 2 ready
    Version   search:8.0.0
    Node      eu-1-pool-a-4kx2: MemoryPressure
    Team      search
    Pod       search/search-6c4b-9zz

    Log: could not be read, not in the file.

    eu-1 / search / Deployment/search · 10 API calls, 200 ms · 4 answers missing, see the thread

    [Full report] [Acknowledge] [Snooze 1 h]
    ");
}

#[test]
fn an_image_that_cannot_be_pulled_is_told() {
    insta::assert_snapshot!(message("image"), @r"
    cart does not start: its image cannot be pulled (ImagePullBackOff)
    ==================================================================

    12 min after Revision 12 (cart:2.0.0-rc1) began to roll out. Container app cannot start because its image registry.example/cart:2.0.0-rc1 cannot be had: there is no such image.

    Since 2026-11-20 03:02 UTC: 1 failed start.

    What changed

    - Revision 12 (cart:2.0.0-rc1) began to roll out at 2026-11-20 02:50 UTC, 12 min before this began.
    - New with this deployment: no ImagePullBackOff in the 7 days before it.
    - Revision 12: image registry.example/cart:1.9.9 → registry.example/cart:2.0.0-rc1

    What to do: Check the name and the tag of the image, that it was pushed, and the imagePullSecrets of the pod: kubectl -n shop describe pod cart-84d-1

    Cause     image (high confidence)
    Restarts  0
    Now       ImagePullBackOff
    Replicas  1 of 2 hit, 2 ready
    Version   cart:2.0.0-rc1
    Node      eu-1-pool-a-4kx2
    Team      shop
    Pod       shop/cart-84d-1

    eu-1 / shop / Deployment/cart · 8 API calls, 160 ms · 2 answers missing, see the thread

    [Full report] [Acknowledge] [Snooze 1 h]
    ");
}

#[test]
fn the_thread_says_how_it_is_known_and_what_is_not() {
    insta::assert_snapshot!(thread("oom"), @r"
    How it is known

    - lastState.terminated.reason = OOMKilled, exitCode = 137
    - limit memory = 512Mi
    - last working set = 498Mi, 97 % of the limit

    What happened when (UTC)

        02:53:00  Deployed  4.2.1
        02:53:10  Scheduled  Successfully assigned payments/checkout-7d9c5b8f6d-x2x4q to eu-1-pool-a-4kx2
        02:53:12  Started  the container's run
        03:02:11  Ended  exit code 137 (SIGKILL)
        03:02:12  Started  Started container app (2 times)

    Kills like this         1 in 10 min, 1 in 1 h, 1 in 24 h
    Memory request / limit  256Mi / 512Mi
    CPU request / limit     250m / none
    QoS class               Burstable
    Priority class          customer-facing
    Age of the pod          9 min (since 2026-11-20 02:53 UTC)
    Grace period            30 s
    Liveness probe          GET /healthz on port 8080, 1 s to answer, every 10 s, 3 failures end it
    Node                    eu-1-pool-a-4kx2, m6i.xlarge, kubelet v1.34.2, 15Gi memory for pods
    Replicas                5 of 6 ready, 6 of the newest revision
    Autoscaler              3 to 10 replicas, now 6, wants 6
    Disruption budget       5 of 6 healthy, 0 may be disrupted
    Image                   registry.example/checkout@sha256:6f0c2a4be1d7a3f0c9b8e7d6c5b4a39281706f5e4d3c2b1a0f9e8d7c6b5a4938

    Commands

        kubectl -n payments describe pod checkout-7d9c5b8f6d-x2x4q
        kubectl -n payments logs checkout-7d9c5b8f6d-x2x4q -c app --previous --tail=200
        kubectl describe node eu-1-pool-a-4kx2
        kubectl get pods -A -o wide --field-selector spec.nodeName=eu-1-pool-a-4kx2
        kubectl -n payments rollout history deployment/checkout
        kubectl -n payments rollout undo deployment/checkout

    Not known

    - memory over time, CPU throttling and pressure: no history of measurements is connected
    ");
}

#[test]
fn the_thread_of_an_eviction_tells_of_the_node() {
    insta::assert_snapshot!(thread("eviction"), @r"
    How it is known

    - status.reason = Evicted, status.message = The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. Container app was using 400Mi, request is 128Mi, has larger consumption of memory.
    - DisruptionTarget.reason = TerminationByKubelet: The node was low on resource: memory.
    - event Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi.

    What happened when (UTC)

        02:50:00  Deployed  Revision 3 (search:8.0.0)
        03:02:01  EvictionThresholdMet  Attempting to reclaim memory (3 times)
        03:02:11  Ended  evicted.node_pressure
        03:02:11  Evicted  The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi.

    Kills like this         1 in 10 min, 1 in 1 h, 1 in 24 h
    Memory request / limit  128Mi / none
    CPU request / limit     none / none
    QoS class               Burstable
    Priority class          customer-facing
    Age of the pod          5 h 2 min (since 2026-11-19 22:00 UTC)
    Grace period            30 s
    Liveness probe          GET /healthz on port 8080, 1 s to answer, every 10 s, 3 failures end it
    Node                    eu-1-pool-a-4kx2, m6i.xlarge, kubelet v1.34.2, 15Gi memory for pods, MemoryPressure
    Replicas                2 of 3 ready, 3 of the newest revision

    Commands

        kubectl -n search describe pod search-6c4b-9zz
        kubectl -n search logs search-6c4b-9zz -c app --previous --tail=200
        kubectl describe node eu-1-pool-a-4kx2
        kubectl get pods -A -o wide --field-selector spec.nodeName=eu-1-pool-a-4kx2
        kubectl -n search rollout history deployment/search
        kubectl -n search rollout undo deployment/search

    Not known

    - the log: not in the file
    - memory in use: not in the file
    - autoscalers: not in the file
    - disruption budgets: not in the file
    - memory over time, CPU throttling and pressure: no history of measurements is connected
    ");
}
