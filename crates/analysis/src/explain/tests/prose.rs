//! Sentences about kills and refused allocations in general, and reports of one.

use crate::explain::{self, Message};

#[test]
fn sentences_about_kills_report_none() {
    for text in [
        "If the container ends with exit code 137, raise its memory limit.\n",
        "When `docker ps` shows `Exited (137)`, the OOM killer ended the server.\n",
        "`docker ps` shows `Exited (137) 5 minutes ago` after a kill by the kernel.\n",
        "Exit code 137 means that the process was killed by SIGKILL.\n",
        "An exit code of 137 or exit code 137 in the log usually points to host memory.\n",
        "The pod may be OOMKilled while weights are loaded.\n",
        "Check whether the pod was OOMKilled (`kubectl describe pod`).\n",
        "A job that exceeds its limit ends with exit\ncode 137, and nothing else is printed.\n",
        "See \"exit code 137\" in the runbook.\n",
        "- exit code 137 is 128 + 9: SIGKILL.\n",
        "title: Docker container killed: exit code 137 (OOM)\n",
        "keywords: exit code 137, OOM, SIGKILL\n",
        "## Exit code 137\n",
        "In Docker, exit code **137** indicates that the process was killed by a `SIGKILL`.\n",
        "If I restart my server it can trigger exit code 137.\n",
        "# exit code 137 usually is the OOM killer\n",
        "The actor died unexpectedly before finishing this task. class_name: RayWorkerVllm pid: 41977 The actor is dead because its worker process has died. There are some potential root causes. (1) The process is killed by SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called. (3) The worker is crashed unexpectedly due to SIGSEGV or other unexpected errors.\n",
        "Watch for a MemoryError when tensors are converted, or a std::bad_alloc in C++.\n",
    ] {
        let found = explain::explain(text);
        assert!(found.is_empty(), "{text}\n{found:#?}");
    }
}

/// The forms are those of docker, docker compose, BuildKit, podman, kubectl and GitLab.
#[test]
fn reports_of_a_kill_are_one_each() {
    for (by_killer, text) in [
        (
            false,
            "CONTAINER ID   IMAGE     COMMAND    CREATED       STATUS                       PORTS     NAMES\na1b2c3d4e5f6   tt/vllm   \"python\"   2 hours ago   Exited (137) 5 minutes ago             tt-server\n",
        ),
        (
            false,
            "a1b2c3d4e5f6   tt/vllm   \"python\"   2 hours ago   Exited (137) About an hour ago         tt-server\n",
        ),
        (
            true,
            "        \"State\": {\n            \"Status\": \"exited\",\n            \"OOMKilled\": true,\n            \"Dead\": false,\n            \"Pid\": 0,\n            \"ExitCode\": 137,\n            \"Error\": \"\",\n",
        ),
        (
            false,
            "        \"State\": {\n            \"Status\": \"exited\",\n            \"OOMKilled\": false,\n            \"Dead\": false,\n            \"ExitCode\": 137,\n",
        ),
        (
            true,
            "    Last State:     Terminated\n      Reason:       OOMKilled\n      Exit Code:    137\n      Started:      Sat, 06 Jun 2026 03:15:40 +0000\n",
        ),
        (
            true,
            "NAME          READY   STATUS      RESTARTS     AGE\ntt-llm-7f9c   0/1     OOMKilled   3 (2m ago)   10m\n",
        ),
        (true, "lastState:\n  terminated:\n    exitCode: 137\n    reason: OOMKilled\n"),
        (false, "tt-server-1 exited with code 137\n"),
        (
            false,
            "ERROR: process \"/bin/sh -c pip install .\" did not complete successfully: exit code: 137\n",
        ),
        (false, "The command '/bin/sh -c make' returned a non-zero code: 137\n"),
        (
            false,
            "scalellm          | ./entrypoint.sh: line 28:     7 Killed                  /app/bin/scalellm $ARGS\nscalellm exited with code 137\n",
        ),
        (
            false,
            "#12 ERROR: process \"/bin/sh -c make\" did not complete successfully: exit code: 137\n",
        ),
        (false, "command terminated with exit code 137\n"),
        (false, "ERROR: Job failed: exit code 137\n"),
        (false, "\"task: non-zero exit (137)\"\n"),
        (
            false,
            "subprocess.CalledProcessError: Command '['python', 'x.py']' returned non-zero exit status 137.\n",
        ),
        (
            false,
            "subprocess.CalledProcessError: Command '['python', 'x.py']' died with <Signals.SIGKILL: 9>.\n",
        ),
        (false, "make: *** [Makefile:10: test] Killed\n"),
        (false, "{\"error\":\"exit status 137\"}\n"),
        (false, "Error: Process completed with exit code 137.\n"),
        (
            false,
            "The runner has received a shutdown signal. This can happen when the runner service is stopped.\nError: Process completed with exit code 137.\n",
        ),
        (false, "Process finished with exit code 137 (interrupted by signal 9: SIGKILL)\n"),
        (
            false,
            "2026-06-06 03:15:40,174 - ERROR - worker 3 exited with exit code 137, which usually means that memory is used up\n",
        ),
    ] {
        let found = explain::explain(text);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        let Message::HostKilled(killed) = &found[0].message else { panic!("{text}") };
        assert_eq!((killed.by_oom_killer, found[0].count), (by_killer, 1), "{text}");
    }
    let healthy = "            \"OOMKilled\": false,\n            \"ExitCode\": 0,\n";
    assert_eq!(explain::explain(healthy), []);
}
