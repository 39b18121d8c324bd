/** Whether a push is what the host runs: per instance its functions, schema, crons and HTTP routes, and its code on disk. */
import path from "node:path";
import stringify from "fast-json-stable-stringify";
import type { ComponentDescription } from "../engine/contract.ts";
import { bundleFolder } from "../engine/loader/bundle.ts";
import { BundleCache } from "../engine/loader/bundleCache.ts";
import { findSources } from "../engine/loader/sources.ts";
import type { CheckedComponent, PushAnalysis } from "./analysis.ts";
import { isCodeOf } from "./codeComparison.ts";
import { PushProblem } from "./pushProblem.ts";
import type { ModuleSource } from "./pushRequests.ts";

/**
 * Every difference in words; none when the push declares what runs and the host's folder has not changed since the
 * host started.
 */
export async function differences(
  pushed: PushAnalysis,
  modules: PushedModules,
  running: readonly ComponentDescription[],
): Promise<string[]> {
  const declared = new Map(instances(pushed.app).map((instance) => [instance.componentPath, instance]));
  const found: string[] = [];
  for (const [path, instance] of declared) {
    const component = running.find((one) => one.path === path);
    if (component === undefined) found.push(`component ${path} is pushed, and does not run`);
    else found.push(...differencesOf(declarationsOfPush(pushed, instance), declarationsOf(component), path));
  }
  for (const { path } of running) {
    if (!declared.has(path)) found.push(`component ${path} runs, and is not pushed`);
  }
  return [...found, ...(await changedFolders(running)), ...(await changedCode(modules, declared, running))];
}

/** By definition path. */
export type PushedModules = ReadonlyMap<string, readonly ModuleSource[]>;

async function changedCode(
  modules: PushedModules,
  declared: ReadonlyMap<string, CheckedComponent>,
  running: readonly ComponentDescription[],
): Promise<string[]> {
  const project = path.dirname(running.find((component) => component.path === "")?.folder ?? "");
  const compared = new Set<string>();
  const changed: string[] = [];
  for (const component of running) {
    const definitionPath = declared.get(component.path)?.definitionPath;
    const pushed = definitionPath === undefined ? undefined : modules.get(definitionPath);
    if (pushed === undefined || compared.has(component.folder)) continue;
    compared.add(component.folder);
    if (await isCodeOf(component.folder, project, pushed)) continue;
    changed.push(`the code pushed is not that of ${component.folder}`);
  }
  return changed;
}

function instances(component: CheckedComponent): CheckedComponent[] {
  return [component, ...Object.values(component.childComponents).flatMap(instances)];
}

/** What is declared, by the name it has in messages, as comparable text. */
type Declarations = ReadonlyMap<string, string>;

function declarationsOfPush({ analysis }: PushAnalysis, instance: CheckedComponent): Declarations {
  const found = analysis[instance.definitionPath];
  if (found === undefined) throw new PushProblem(`${instance.definitionPath} was not analysed`);
  const declarations = new Map([["schema", stringify(found.schema)]]);
  for (const [modulePath, module] of Object.entries(found.functions)) {
    const moduleName = modulePath.replace(/\.js$/, "");
    for (const { name, udfType, visibility, args, returns } of module.functions) {
      declarations.set(
        `function ${moduleName}:${name}`,
        stringify({
          kind: udfType.toLowerCase(),
          internal: visibility.kind === "internal",
          args: parsed(args),
          returns: parsed(returns),
        }),
      );
    }
    for (const { route } of module.httpRoutes ?? [])
      declarations.set(`route ${route.method} ${route.path}`, "");
    for (const [name, cron] of module.cronSpecs ?? []) declarations.set(`cron ${name}`, stringify(cron));
  }
  return declarations;
}

function declarationsOf(component: ComponentDescription): Declarations {
  const declarations = new Map([["schema", stringify(component.schema)]]);
  for (const { path, kind, internal, args, returns } of component.functions) {
    declarations.set(`function ${path}`, stringify({ kind, internal, args, returns }));
  }
  for (const [path, method] of component.httpRoutes) declarations.set(`route ${method} ${path}`, "");
  for (const [name, cron] of Object.entries(component.crons))
    declarations.set(`cron ${name}`, stringify(cron));
  return declarations;
}

function parsed(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

function differencesOf(pushed: Declarations, running: Declarations, componentPath: string): string[] {
  const where = componentPath === "" ? "" : ` of component ${componentPath}`;
  const found: string[] = [];
  for (const [name, declaration] of pushed) {
    const other = running.get(name);
    if (other === undefined) found.push(`${name}${where} is pushed, and does not run`);
    else if (other !== declaration)
      found.push(`${name}${where} is pushed with another declaration than runs`);
  }
  for (const name of running.keys()) {
    if (!pushed.has(name)) found.push(`${name}${where} runs, and is not pushed`);
  }
  return found;
}

async function changedFolders(running: readonly ComponentDescription[]): Promise<string[]> {
  const folders = new Map(running.map(({ folder, fingerprint }) => [folder, fingerprint]));
  const changed: string[] = [];
  for (const [folder, fingerprint] of folders) {
    const now = await bundleFolder(folder, findSources(folder), new BundleCache(null));
    if (now.fingerprint === fingerprint) continue;
    changed.push(`the code of ${folder} changed after the host started`);
  }
  return changed;
}
