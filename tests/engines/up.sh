#!/usr/bin/env bash
# Fetches the engines that the tests run embprep on, and runs one of them on this machine.
#
#   up.sh ENGINE fetch   fetches what ENGINE needs, once, into a folder of the user's cache
#   up.sh ENGINE         runs it in the foreground until its standard input is closed or it gets
#                        a signal; prints NAME=VALUE lines, then "ready"
#
# ENGINE is flink (a job manager, a task manager with two slots, Beam's job server), spark (Beam's
# job server with Spark in it, local[2]) or prism (Beam's own engine of its Go SDK). Fetching is
# done by Maven, which checks each jar against the checksum beside it, and by Go, which checks
# modules against its checksum database; running needs no network. Needs Java 17 and Maven, or Go.
#
# EMBPREP_ENGINES names another folder than ~/.cache/embprep-engines. EMBPREP_ENGINE_LOGS names a
# folder that keeps the logs. EMBPREP_FLINK_RESTARTS says how often Flink may restart a job, instead
# of 5 times; EMBPREP_SPARK_MASTER=local[2,8] has Spark try each task 8 times, instead of once.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${EMBPREP_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/embprep-engines}"
copy_dependencies="org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
[[ "$cache" == /* ]] || cache="$PWD/$cache"
go_sdk="github.com/apache/beam/sdks/v2"
go_version="v2.77.0"

# Where the jars of an engine are, by the contents of its pom.xml. Beam's job server sends Flink
# every jar of its own class path with each job, 150 MB, but those whose path has gradle/wrapper in
# it (PipelineResources.isStageable). Here Flink has them all on its class path already.
jars() {
    echo "$cache/$1-$(sha256sum <"$here/$1/pom.xml" | cut -c1-12)/gradle/wrapper"
}

programs="$cache/go-$go_version"

need() {
    command -v "$1" >/dev/null || {
        echo "up.sh: $1 is not installed" >&2
        exit 1
    }
}

# The folder appears when all of it is there.
fetch_jars() {
    local folder
    folder="$(jars "$1")"
    if [[ -d "$folder" ]]; then return; fi
    need java
    need mvn
    echo "Fetching the jars of $1 into $folder" >&2
    rm -rf "$folder.partial"
    mkdir -p "$(dirname "$folder")"
    mvn --batch-mode -Dstyle.color=never --quiet --strict-checksums --file "$here/$1/pom.xml" \
        "$copy_dependencies" "-DoutputDirectory=$folder.partial" </dev/null >&2
    mv "$folder.partial" "$folder"
}

# fetch_program PACKAGE: builds a program of Beam's Go SDK.
fetch_program() {
    if [[ -x "$programs/${1##*/}" ]]; then return; fi
    need go
    echo "Building $1 of Beam's Go SDK into $programs" >&2
    mkdir -p "$programs"
    GOBIN="$programs" go install "$go_sdk/$1@$go_version" </dev/null >&2
}

fetch() {
    case "$1" in
        flink | spark)
            fetch_jars "$1"
            # Starts Python workers in an environment of type PROCESS.
            fetch_program python/container
            ;;
        prism) fetch_program go/cmd/prism ;;
    esac
}

check_fetched() {
    local wanted=()
    case "$1" in
        flink | spark) wanted=("$(jars "$1")" "$programs/container") ;;
        prism) wanted=("$programs/prism") ;;
    esac
    local path
    for path in "${wanted[@]}"; do
        if [[ ! -e "$path" ]]; then
            echo "up.sh: $path is not there: run $here/up.sh $1 fetch" >&2
            exit 1
        fi
    done
}

listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Below the ports that the system gives to those who ask for any.
ports=()
choose_ports() {
    local port
    while ((${#ports[@]} < $1)); do
        port=$((20000 + RANDOM % 10000))
        if ! listens "$port"; then ports+=("$port"); fi
    done
}

processes=()
# Those without which the engine is none.
needed=()
reader=""

# start NAME COMMAND ...: in the background, with a log of its own.
start() {
    "${@:2}" >"$logs/$1.log" 2>&1 </dev/null &
    processes+=("$!")
    # The job manager waits for another one.
    if [[ "$1" != taskmanager ]]; then needed+=("$!"); fi
}

# Ends what was started, by its own ids, the last first.
stop() {
    trap - EXIT INT TERM
    kill "$reader" 2>/dev/null || true
    local i
    for ((i = ${#processes[@]} - 1; i >= 0; i--)); do
        kill "${processes[i]}" 2>/dev/null || true
    done
    for ((i = 0; i < 50; i++)); do
        alive || break
        sleep 0.1
    done
    kill -KILL "${processes[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    cd /
    rm -rf "$folder"
}

alive() {
    local process
    for process in "${processes[@]}"; do
        if kill -0 "$process" 2>/dev/null; then return 0; fi
    done
    return 1
}

# wait_for CONDITION ...: until it holds, at most two minutes, while all processes live.
wait_for() {
    local i process
    for ((i = 0; i < 1200; i++)); do
        if "$@"; then return; fi
        for process in "${processes[@]}"; do
            if ! kill -0 "$process" 2>/dev/null; then break 2; fi
        done
        sleep 0.1
    done
    echo "up.sh: $engine did not start:" >&2
    tail -n 20 "$logs"/*.log >&2
    exit 1
}

# In the place of the subshell that it is started in, whose id is known.
java_main() {
    exec java "@$here/java.options" "$@"
}

has_two_slots() {
    local answer
    listens "$1" || return 1
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    printf 'GET /overview HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
    answer="$(cat <&3)"
    exec 3>&-
    [[ "$answer" == *'"slots-total":2'* ]]
}

run_flink() {
    choose_ports 4
    local rpc="${ports[0]}" rest="${ports[1]}" job="${ports[2]}" artifacts="${ports[3]}"
    local classes
    classes="$(jars flink)/*"
    mkdir -p "$folder/tmp" "$folder/blobs" "$folder/conf"
    sed "s#@RPC@#$rpc#; s#@REST@#$rest#; s#@FOLDER@#$folder#;
        s#@RESTARTS@#${EMBPREP_FLINK_RESTARTS:-5}#" "$here/flink/config.yaml" \
        >"$folder/conf/config.yaml"
    local runtime="org.apache.flink.runtime"
    start jobmanager java_main -Xmx384m -cp "$classes" \
        "$runtime.entrypoint.StandaloneSessionClusterEntrypoint" --configDir "$folder/conf"
    start taskmanager java_main -Xmx640m -XX:MaxDirectMemorySize=768m -cp "$classes" \
        "$runtime.taskexecutor.TaskManagerRunner" --configDir "$folder/conf"
    start jobserver java_main -Xmx384m -cp "$classes" \
        org.apache.beam.runners.flink.FlinkJobServerDriver \
        --flink-master="localhost:$rest" --flink-conf-dir="$folder/conf" \
        --job-host=localhost --job-port="$job" --artifact-port="$artifacts" --expansion-port=-1 \
        --artifacts-dir="$folder/artifacts"
    wait_for has_two_slots "$rest"
    wait_for listens "$job"
    echo "rest=localhost:$rest"
    echo "taskmanager=${processes[1]}"
    echo "boot=$programs/container"
    echo "job_endpoint=localhost:$job"
}

run_spark() {
    choose_ports 2
    local job="${ports[0]}" artifacts="${ports[1]}"
    SPARK_LOCAL_IP=127.0.0.1 start jobserver java_main -Xmx1g -cp "$(jars spark)/*" \
        -Dspark.ui.enabled=false -Dspark.local.dir="$folder/tmp" \
        org.apache.beam.runners.spark.SparkJobServerDriver \
        --spark-master-url="${EMBPREP_SPARK_MASTER:-local[2]}" \
        --job-host=localhost --job-port="$job" --artifact-port="$artifacts" --expansion-port=-1 \
        --artifacts-dir="$folder/artifacts"
    wait_for listens "$job"
    echo "boot=$programs/container"
    echo "job_endpoint=localhost:$job"
}

run_prism() {
    choose_ports 1
    start prism "$programs/prism" -job_port="${ports[0]}" -serve_http=false -log_kind=text
    wait_for listens "${ports[0]}"
    echo "prism_location=$programs/prism"
    echo "job_endpoint=localhost:${ports[0]}"
}

engine="${1:-}"
if [[ ! "$engine" =~ ^(flink|spark|prism)$ || ! "${2:-}" =~ ^(fetch)?$ ]]; then
    echo "usage: up.sh flink|spark|prism [fetch]" >&2
    exit 2
fi
if [[ "${2:-}" == fetch ]]; then
    fetch "$engine"
    exit
fi
check_fetched "$engine"
folder="$(mktemp -d "${TMPDIR:-/tmp}/embprep-$engine-XXXXXX")"
logs="${EMBPREP_ENGINE_LOGS:-$folder}"
mkdir -p "$logs"
logs="$(cd "$logs" && pwd)"
# The program that starts Python workers writes a file to where it stands.
cd "$folder"
trap stop EXIT
trap 'exit 143' INT TERM
"run_$engine"
echo "ready"
# Ends when whoever started it closes the pipe or is gone, and also when the engine is.
cat <&0 >/dev/null &
reader="$!"
wait -n "$reader" "${needed[@]}" || true
