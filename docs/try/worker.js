// The worker: Python, and the program in it. It speaks to the site that it was loaded from, and only while it loads.

let python = null;

const PROGRAM = `
import json, os
import pcapdiag

def line(found):
    e, stop = found.exchange, found.stop
    text = f"{e.initiator.address} → {e.responder.address}: phase 1 {stop.outcome.value}, tunnel {found.tunnel.state.value}"
    if found.causes and not found.well:
        best = found.causes[0]
        text += f"; {best.status.value}: {best.cause.title}"
    return text

def report(name):
    """The page, a line for each exchange, and the verdicts as JSON."""
    os.chdir("/captures")
    try:
        found = pcapdiag.analyze(name)
    except pcapdiag.CaptureError as error:
        return json.dumps({"fault": str(error)})
    finally:
        os.unlink(name)
    verdicts = [
        [d.stop.outcome.value, d.tunnel.state.value, [[c.cause.id, c.status.value] for c in d.causes]]
        for d in found.diagnoses
    ]
    lines = [line(d) for d in found.diagnoses[:20]]
    if len(found.diagnoses) > len(lines):
        lines.append(f"… and {len(found.diagnoses) - len(lines)} more: see the report")
    return json.dumps({"page": found.to_html(), "lines": lines or ["No IKE in this capture."], "verdicts": verdicts})
`;

async function load(here) {
  const began = performance.now();
  const fetched = async (name) => {
    const answer = await fetch(here + name);
    if (!answer.ok) throw new Error(name + " is not there");
    return answer.arrayBuffer();
  };
  const [{ loadPyodide }, ...archives] = await Promise.all([
    import(here + "pyodide/pyodide.mjs"),
    fetched("packages.zip"),
    fetched("program.zip"),
  ]);
  python = await loadPyodide({ indexURL: here + "pyodide/" });
  const folder = python.runPython("import site; site.getsitepackages()[0]");
  for (const archive of archives) python.unpackArchive(archive, "zip", { extractDir: folder });
  python.FS.mkdir("/captures");
  python.runPython(PROGRAM);
  postMessage({ ready: performance.now() - began, version: python.runPython("pcapdiag.__version__") });
}

function read(name, octets) {
  const began = performance.now();
  const plain = name.replace(/[^\w.+-]+/g, "_").replace(/^[.-]+/, "_") || "capture";
  python.FS.writeFile("/captures/" + plain, new Uint8Array(octets));
  const found = JSON.parse(python.globals.get("report")(plain));
  if (found.fault) return postMessage({ fault: found.fault });
  postMessage({ ...found, name, verdicts: JSON.stringify(found.verdicts), took: performance.now() - began });
}

onmessage = async ({ data }) => {
  try {
    if (data.here) await load(data.here);
    else read(data.name, data.octets);
  } catch (fault) {
    postMessage({ fault: "It failed: " + String(fault).split("\n").filter(Boolean).pop() });
  }
};
