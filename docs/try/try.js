"use strict";
// The page: takes a capture, hands it to the worker that runs the program, and shows the report in a frame of its own.

const SAMPLES = ["mm5-udp-4500-blocked.pcap", "mm1-no-proposal-chosen.pcap", "phase2-refused.pcap"];
const $ = (id) => document.getElementById(id);
const here = new URL(".", location.href).href;
let worker = null;
let kept = null;

function say(text) {
  $("state").textContent = text;
}

function busy(yes) {
  $("file").disabled = yes;
  for (const button of document.querySelectorAll("#samples button")) button.disabled = yes;
}

// A worker of a blob has the policy of this page. One of an address would have none.
async function begin() {
  busy(true);
  const answer = await fetch("worker.js");
  const source = await answer.blob();
  worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
  worker.onmessage = ({ data }) => told(data);
  worker.onerror = (fault) => say("This browser cannot run it: " + (fault.message || "no module workers, or no WebAssembly"));
  worker.postMessage({ here });
}

function told(data) {
  if (data.fault) {
    say(data.fault);
    busy(false);
  } else if (data.ready) {
    say(`Ready, after ${(data.ready / 1000).toFixed(1)} s. pcapdiag ${data.version}.`);
    busy(false);
    document.body.dataset.ready = "yes";
  } else {
    say(`${data.name}: read in ${(data.took / 1000).toFixed(1)} s, on this machine.`);
    $("verdict").textContent = data.lines.join("\n");
    $("verdict").hidden = false;
    $("report").srcdoc = data.page;
    $("report").hidden = false;
    if (kept) URL.revokeObjectURL(kept);
    kept = URL.createObjectURL(new Blob([data.page], { type: "text/html" }));
    $("save").href = kept;
    $("keep").hidden = false;
    busy(false);
    document.body.dataset.report = data.name;
    document.body.dataset.verdicts = data.verdicts;
    document.body.dataset.took = data.took;
  }
}

async function take(file, name) {
  busy(true);
  delete document.body.dataset.report;
  say(`${name}: reading …`);
  const octets = await file.arrayBuffer();
  worker.postMessage({ name, octets }, [octets]);
}

$("file").addEventListener("change", () => {
  if ($("file").files.length) take($("file").files[0], $("file").files[0].name);
});
const drop = $("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length && !$("file").disabled) {
      take(event.dataTransfer.files[0], event.dataTransfer.files[0].name);
    }
  });
}
for (const name of SAMPLES) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", async () => take(await (await fetch("captures/" + name)).blob(), name));
  $("samples").append(button);
}
if (location.protocol === "file:") {
  say("A browser runs this only from a server: python3 -m http.server in the folder of the site.");
  busy(true);
} else {
  begin().catch((fault) => say("It could not be loaded: " + fault));
}
