// Builds the viewer alone, for the overlay test, into the folder named.
import { cp } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { withoutMeshes } from "../../without-meshes.mjs";

const here = import.meta.dirname;
const out = process.argv[2];
await build({
  absWorkingDir: here,
  entryPoints: ["entry.ts"],
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  plugins: [withoutMeshes],
  logLevel: "warning",
});
for (const name of ["index.html", "entry.css"]) await cp(path.join(here, name), path.join(out, name));
