/** Loads the app and its components, each instance into a realm of its own. */
import vm from "node:vm";
import { HostError, notSupported, PlatformError } from "../errors.ts";
import type { ValidatorJson } from "../validation/validator.ts";
import { validatorProblem } from "../validation/validator.ts";
import { createRealm, type RealmHooks } from "../runtime/realm.ts";
import {
  BUNDLE_GLOBAL,
  bundleFolder,
  DefinitionReader,
  type ComponentUse,
  type Definition,
} from "./bundle.ts";
import { BundleCache } from "./bundleCache.ts";
import { collectExports, type Bundle, type Exports, type FunctionEntry } from "./functions.ts";
import { findSources } from "./sources.ts";

export type Environment = Readonly<Record<string, string>>;

/** One instance of the app ("") or of a component (`parent/child`). */
export type Component = Exports & {
  path: string;
  /** Local names of child components to their paths. */
  children: ReadonlyMap<string, string>;
  nodeModules: ReadonlySet<string>;
  /** Absolute path of its convex/ folder. */
  folder: string;
  /** Changes when the folder's code or what it imports does. */
  fingerprint: string;
};

export type App = ReadonlyMap<string, Component>;

type CompiledFolder = {
  script: vm.Script;
  nodeModules: Set<string>;
  fingerprint: string;
  /** Keeps what was compiled so far for the next start. */
  keep: () => Promise<void>;
};

function checkEnvironment(label: string, definition: Definition, environment: Environment): void {
  for (const [name, { value, optional }] of definition.envVars ?? []) {
    const found = environment[name];
    if (found === undefined) {
      if (optional) continue;
      throw new HostError(
        "ENVIRONMENT_INVALID",
        `${label} needs the environment variable ${name}, which is not set`,
      );
    }
    // The value itself stays out of the message: it may be a secret.
    if (validatorProblem(JSON.parse(value) as ValidatorJson, found, () => null) !== null) {
      throw new HostError("ENVIRONMENT_INVALID", `${label} does not accept the value of ${name}`);
    }
  }
}

function childEnvironment(use: ComponentUse, parent: Environment): Environment {
  const bound: Record<string, string> = {};
  for (const [name, binding] of use.env ?? []) {
    const value = binding.type === "value" ? binding.value : parent[binding.name];
    if (value !== undefined) bound[name] = value;
  }
  return bound;
}

export type LoadOptions = {
  hooks: RealmHooks;
  /** Where bundles are kept for the next start; null keeps none. */
  cacheDir: string | null;
  /** Whether each call runs in a context of its own, so that nothing that a module remembers outlives it. */
  freshContexts: boolean;
};

class AppLoader {
  private readonly options: LoadOptions;
  private readonly definitions: DefinitionReader;
  private readonly cache: BundleCache;
  private readonly compiled = new Map<string, Promise<CompiledFolder>>();
  readonly components = new Map<string, Component>();

  constructor(options: LoadOptions) {
    this.options = options;
    this.cache = new BundleCache(options.cacheDir);
    this.definitions = new DefinitionReader(this.cache);
  }

  async load(dir: string, path: string, environment: Environment): Promise<void> {
    const label = path === "" ? "the app" : `component ${path}`;
    // Bundling is most of a start: the folder's begins before its definition is read, its children's before it is done.
    const compiling = this.compile(dir);
    const definition = await this.definitions.read(dir);
    for (const use of definition.childComponents) void this.compile(use.path);
    if (Object.keys(definition.httpMounts ?? {}).length > 0) {
      throw new HostError(
        "NOT_SUPPORTED",
        `httpPrefix, used by ${label}, is not supported by the embedded host`,
      );
    }
    checkEnvironment(label, definition, environment);
    const { script, nodeModules, fingerprint, keep } = await compiling;
    const evaluate = (): Bundle => {
      const context = createRealm(label, environment, this.options.hooks);
      script.runInContext(context);
      return vm.runInContext(BUNDLE_GLOBAL, context) as Bundle;
    };
    const bundle = evaluate();
    const children = new Map<string, string>();
    for (const use of definition.childComponents) {
      children.set(use.name, path === "" ? use.name : `${path}/${use.name}`);
    }
    const exports = collectExports(dir, bundle, this.options.freshContexts ? evaluate : () => bundle);
    this.components.set(path, { ...exports, path, children, nodeModules, folder: dir, fingerprint });
    // Now that its modules were evaluated: what they needed is compiled, too.
    await keep();
    for (const use of definition.childComponents) {
      const childPath = children.get(use.name) ?? use.name;
      await this.load(use.path, childPath, childEnvironment(use, environment));
    }
  }

  /** Each folder once, however many components use it. */
  private compile(dir: string): Promise<CompiledFolder> {
    let folder = this.compiled.get(dir);
    if (folder === undefined) {
      folder = compileFolder(dir, this.cache);
      // Whoever awaits it hears of its failure; a start that fails for another reason must not die of this one.
      folder.catch(() => undefined);
      this.compiled.set(dir, folder);
    }
    return folder;
  }
}

async function compileFolder(dir: string, cache: BundleCache): Promise<CompiledFolder> {
  const sources = findSources(dir);
  const { text, fingerprint } = await bundleFolder(dir, sources, cache);
  const cachedData = await cache.compiled(fingerprint);
  const script = new vm.Script(text, { filename: `${dir}/bundle.js`, cachedData });
  const isKnown = cachedData !== undefined && script.cachedDataRejected !== true;
  return {
    script,
    nodeModules: sources.nodeModules,
    fingerprint,
    keep: async () => {
      if (!isKnown) await cache.keepCompiled(fingerprint, script.createCachedData());
    },
  };
}

/** Bundles and evaluates a convex/ folder with its components. Throws HostError when that fails. */
export async function loadApp(dir: string, environment: Environment, options: LoadOptions): Promise<App> {
  const loader = new AppLoader(options);
  await loader.load(dir, "", environment);
  return loader.components;
}

/** `dir/module:function` from what callers write: `.js` may stand after the module, a missing name means `default`. */
export function normalizePath(path: string): string {
  const colon = path.lastIndexOf(":");
  const module = (colon < 0 ? path : path.slice(0, colon)).replace(/\.js$/, "");
  return `${module}:${colon < 0 ? "default" : path.slice(colon + 1)}`;
}

/** Finds a function. Throws a PlatformError in Convex's words when there is none. */
export function findFunction(app: App, componentPath: string, path: string): FunctionEntry {
  const component = app.get(componentPath);
  if (component === undefined) {
    throw new PlatformError(`Component ${JSON.stringify(componentPath)} not found.`, { visible: true });
  }
  const normal = normalizePath(path);
  const entry = component.functions.get(normal);
  if (entry !== undefined) return entry;
  if (component.nodeModules.has(normal.slice(0, normal.lastIndexOf(":")))) {
    throw notSupported(`The "use node" runtime, which ${path} needs,`);
  }
  throw functionNotFound(path);
}

/** The same words whether a function is missing or internal, so that callers can't probe for internal ones. */
export function functionNotFound(path: string): PlatformError {
  return new PlatformError(
    `Could not find public function for '${path}'. Did you forget to run \`npx convex dev\` or \`npx convex deploy\`?`,
    { visible: true },
  );
}
