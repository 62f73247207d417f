# Documents of the Elastic Common Schema (https://www.elastic.co/docs/reference/ecs), of lines that pcapdiag prints:
#
#     pcapdiag analyze --ndjson FILE | jq -cR -L DIRECTORY_OF_THIS_FILE 'include "ecs"; ecs'
#
# The whole record stands under `pcapdiag`, so that nothing is lost; what ECS has fields for stands there too.
include "pcapdiag";

def _end($port): {address: .address, ip: .address, port: $port};

# What happened to the connection, by the values that ECS allows beside the category `network`.
def _types:
  if .outcome == "rejected" then ["connection", "denied"]
  elif .tunnel.state == "lost" then ["connection", "end"]
  elif .outcome == "partial" then ["connection", "info"]
  else ["connection", "start"] end;

def _exchange:
  {
    "@timestamp": .first_time,
    message: sentence,
    event: (sequence + {
      kind: "event",
      category: ["network"],
      type: _types,
      outcome: result,
      action: "ike-\(.outcome)",
      reason: .reason,
      id: identity,
      start: .first_time,
      end: .last_time
    }),
    source: .initiator | _end(.port),
    destination: .responder | _end(.port),
    network: {protocol: "ike", transport: transport, type: "ipv\(.initiator.address | ip_version)"},
    related: {ip: ([.initiator, .responder | .address, .aliases[]] | unique)}
  }
  + ([leading][0] // null
     | if . then {rule: {id: .id, name: .title, category: .status, description: .says, ruleset: "pcapdiag"}} else {} end);

def _other:
  {
    "@timestamp": moment,
    message: (.text // "pcapdiag: \(.event // "summary")"),
    event: {kind: (if .event then "event" else "metric" end), category: ["network"], type: ["info"], outcome: "unknown",
            action: (.event // "summary")}
  };

def ecs:
  record as $record
  | ($record | if (.exchange | type) == "object" then .exchange | _exchange else _other end)
  | .ecs = {version: "8.17.0"}
  | .event += {module: "pcapdiag", dataset: "pcapdiag.ike", provider: "pcapdiag"}
  | .observer = {vendor: "pcapdiag", product: "pcapdiag", type: "sensor"}
  | .pcapdiag = $record;
