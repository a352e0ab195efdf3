#!/bin/sh
# Holds the dashboards against the types that Grafana publishes (npm's @grafana/schema, the newest): made into a JSON schema
# and validated. Needs npm and its registry; nothing is left behind.
set -eu
dashboards=$(cd "$(dirname "$0")/../grafana/dashboards" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null 2>&1
npm install --no-audit --no-fund --loglevel=error typescript@5 @grafana/schema ts-json-schema-generator ajv >/dev/null
echo '{"compilerOptions":{"moduleResolution":"bundler","module":"esnext","target":"es2022","skipLibCheck":true}}' >tsconfig.json
npx --loglevel=error ts-json-schema-generator --type Dashboard --additional-properties --no-type-check -f tsconfig.json \
	--path node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen.d.ts -o schema.json
cat >validate.js <<'JS'
const [Ajv, fs] = [require("ajv"), require("fs")];
const validate = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(fs.readFileSync("schema.json")));
console.log("@grafana/schema", JSON.parse(fs.readFileSync("node_modules/@grafana/schema/package.json")).version);
for (const file of process.argv.slice(2)) {
  const valid = validate(JSON.parse(fs.readFileSync(file)));
  console.log(file, valid ? "valid" : validate.errors.map((error) => `${error.instancePath} ${error.message}`).join("; "));
  if (!valid) process.exitCode = 1;
}
JS
node validate.js "$dashboards"/*.json
