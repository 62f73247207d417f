# What pcapdiag says, line by line, for other programs: a module of jq (1.6 or newer) that `ecs` and `ocsf` begin with.
#
# It reads lines as text (jq -R). Times have nine decimal places, of which jq 1.6 would lose two if it read them as
# numbers; so they are made text first, RFC 3339 with all nine: 1795424519.123456789 is 2026-11-23T09:01:59.123456789Z.

# A time as RFC 3339; one that no calendar has (before the year 0, after 9999) stays as it is.
def stamp:
  . as $given
  | split(".") as [$whole, $fraction]
  | ($whole | tonumber) as $seconds
  | if ($given | startswith("-")) or $seconds > 253402300799 then $given
    else "\($seconds | todate | rtrimstr("Z")).\($fraction)Z" end;

def _is_time: test("^-?[0-9]+\\.[0-9]{9}$");

# Text that begins with a value: the value as a string, if it is a time.
def _spell_first:
  (index(".") // 0) as $dot
  | .[:$dot + 10] as $value
  | if $dot > 0 and $dot < 24 and ($value | _is_time) then "\"\($value | stamp)\"" + .[$dot + 10:] else . end;

# Text that begins with a list of times: each as a string.
def _spell_all:
  (index("]") // 0) as $close
  | (.[1:$close] | split(",")) as $values
  | if ($values | length) > 0 and ($values | all(_is_time))
    then "[" + ([$values[] | "\"\(stamp)\""] | join(",")) + .[$close:] else . end;

# The values of this key made strings. A key stands between quotation marks that are not escaped: no text looks like it.
def _spell($key; spell):
  split("\"\($key)\":")
  | .[0] + ([.[1:][] | "\"\($key)\":" + spell] | add // "");

# A line of `analyze --ndjson`, `analyze --json` or `live --json` as an object with `exchange`, `summary` or `event`.
# Of `analyze --json` the first line has no end yet, exchanges end with a comma, and the last line says nothing.
def record:
  rtrimstr(",")
  | select(startswith("{"))
  | if endswith(",\"exchanges\":[") then .[:-14] + "}" else . end
  | reduce ("time", "first_time", "last_time", "began", "due", "decided_at", "settles_at") as $key
      (.; _spell($key; _spell_first))
  | _spell("times"; _spell_all)
  | fromjson
  | if has("event") or has("summary") then . elif has("outcome") then {exchange: .} else {summary: .} end;

# How it went, of an exchange.
def result:
  {up: "success", unknown: (if .outcome == "completed" then "success" else "unknown" end)}[.tunnel.state] // "failure";

# The first cause, where it is confirmed or likely.
def leading: .causes[0] | select(. != null and (.status == "confirmed" or .status == "likely"));

# One sentence for people.
def sentence: "\(.initiator.address) → \(.responder.address): \(.outcome), tunnel \(.tunnel.state). \(.reason)";

# The same for every revision of an exchange.
def identity: "\(.initiator_spi)-\(.first_time)";

# Which revision it is: the highest of an exchange holds.
def sequence: if .revision then {sequence: .revision} else {} end;

# When a record that is no exchange is of: its own time, or the end of the captures, or now.
def moment: .time // ([.summary.captures[]?.last_time | strings] | max) // (now | todate);

# The transport of its messages: TCP is told as evidence (RFC 8229).
def transport: if any(.evidence[]; .kind == "ike-over-tcp") then "tcp" else "udp" end;

def ip_version: if contains(":") then 6 else 4 end;
