// Builds the page into src/radiolucent/web/static: hashed names, no source maps, licences of what went in.
// The same sources and lock file give the same bytes.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { withoutMeshes } from "./without-meshes.mjs";

const here = import.meta.dirname;
const out = process.argv[2] ?? path.join(here, "../src/radiolucent/web/static");

const made = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.tsx", style: "src/styles/page.css" },
  outdir: out,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [withoutMeshes],
  metafile: true,
  write: false,
  logLevel: "warning",
});

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const file of made.outputFiles) await writeFile(file.path, file.contents);
const names = made.outputFiles.map((file) => path.basename(file.path));
const named = (start) => names.find((name) => name.startsWith(start));
const html = (await readFile(path.join(here, "index.html"), "utf8"))
  .replace("{{style}}", `/static/${named("style-")}`)
  .replace("{{script}}", `/static/${named("page-")}`);
await writeFile(path.join(out, "index.html"), html);
await writeFile(path.join(out, "LICENSES.txt"), await licences(Object.keys(made.metafile.inputs)));
const bytes = made.outputFiles.reduce((sum, file) => sum + file.contents.length, 0);
console.log(`${names.length} files, ${Math.round(bytes / 1024)} KiB`);

/** Names, versions and licence texts of the packages whose code is in the bundle. */
async function licences(inputs) {
  const folders = inputs.map((name) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(name)?.[1]).filter(Boolean);
  const parts = ["Packages whose code is part of the built page.\n"];
  for (const folder of [...new Set(folders)].sort()) {
    const at = path.join(here, folder);
    if (!existsSync(path.join(at, "package.json"))) continue;
    const about = JSON.parse(await readFile(path.join(at, "package.json"), "utf8"));
    const file = (await readdir(at)).sort().find((name) => /^licen[cs]e/i.test(name));
    const text = file ? (await readFile(path.join(at, file), "utf8")).trim() : "No licence text in the package.";
    const licence = typeof about.license === "string" ? about.license : (about.license?.type ?? "see text");
    parts.push(`${"=".repeat(100)}\n${about.name} ${about.version}, ${licence}\n\n${text}\n`);
  }
  return parts.join("\n");
}
