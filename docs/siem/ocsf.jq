# Events of the Open Cybersecurity Schema Framework (https://schema.ocsf.io), of lines that pcapdiag prints:
#
#     pcapdiag analyze --ndjson FILE | jq -cR -L DIRECTORY_OF_THIS_FILE 'include "ocsf"; ocsf'
#
# An exchange is a Tunnel Activity (4014), all else a Base Event (0). The whole record stands under `unmapped`, so that
# nothing is lost; what OCSF has attributes for stands there too.
include "pcapdiag";

# Milliseconds since the Unix epoch, as OCSF counts.
def _milliseconds:
  if endswith("Z") then (.[:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber? // 0)
  else tonumber * 1000 | floor end;

def _class($category; $category_name; $class; $class_name; $activity; $activity_name):
  {
    category_uid: $category, category_name: $category_name, class_uid: $class, class_name: $class_name,
    activity_id: $activity, activity_name: $activity_name,
    type_uid: ($class * 100 + $activity), type_name: "\($class_name): \(if $activity == 99 then "Other" else $activity_name end)"
  };

# An exchange asks for a tunnel; one of which the beginning is not in the capture shows neither that nor its end.
def _activity:
  if .outcome == "partial" then _class(4; "Network Activity"; 4014; "Tunnel Activity"; 0; "Unknown")
  else _class(4; "Network Activity"; 4014; "Tunnel Activity"; 1; "Open") end;

def _status:
  .outcome as $outcome
  | {
    success: {status_id: 1, status: "Success", severity_id: 1, severity: "Informational"},
    failure: {status_id: 2, status: "Failure", severity_id: 3, severity: "Medium"},
    unknown: {status_id: 0, status: "Unknown", severity_id: 1, severity: "Informational"}
  }[result]
  # Another exchange of the same peers made it good.
  | if $outcome == "superseded" then .severity_id = 1 | .severity = "Informational" else . end;

# From where it began, seen from the end that is the reader's own (`--local`).
def _direction:
  if .initiator.mine == true then {direction_id: 2, direction: "Outbound"}
  elif .responder.mine == true then {direction_id: 1, direction: "Inbound"}
  else {direction_id: 0, direction: "Unknown"} end;

def _exchange:
  _activity + _status + {
    time: .first_time | _milliseconds,
    message: sentence,
    status_code: .outcome,
    status_detail: .reason,
    protocol_name: "IPSec",
    app_protocol_name: "isakmp",
    src_endpoint: .initiator | {ip: .address, port},
    dst_endpoint: .responder | {ip: .address, port},
    connection_info: (_direction + {
      protocol_name: transport,
      protocol_num: {udp: 17, tcp: 6}[transport],
      protocol_ver_id: .initiator.address | ip_version
    }),
    session: {uid: identity, created_time: .first_time | _milliseconds, is_vpn: true},
    metadata: ({uid: identity, event_code: ([leading][0].id // .outcome)} + sequence)
  };

def _other:
  _class(0; "Uncategorized"; 0; "Base Event"; 99; (.event // "summary")) + {
    time: moment | _milliseconds,
    message: (.text // "pcapdiag: \(.event // "summary")"),
    status_id: 0, status: "Unknown", severity_id: 1, severity: "Informational",
    metadata: {event_code: (.event // "summary")}
  };

def ocsf:
  record as $record
  | ($record | if (.exchange | type) == "object" then .exchange | _exchange else _other end)
  | .metadata += {version: "1.8.0", product: {name: "pcapdiag", vendor_name: "pcapdiag"}, log_name: "pcapdiag"}
  | .unmapped = {pcapdiag: $record};
