/** The answer to a push: what each definition declares, and the tree of component instances that comes of it. */
import { evaluatePushed, type Evaluated, type ModuleAnalysis } from "./evaluation.ts";
import { joinPushed, labelOf, type PushedDefinition } from "./pushedBundle.ts";
import { PushProblem } from "./pushProblem.ts";
import type { StartPushRequest } from "./pushRequests.ts";

/** Convex's tree of what a component offers to the one that installs it: its public functions. */
export type Exports =
  { type: "leaf"; leaf: string } | { type: "branch"; branch: (readonly [name: string, exports: Exports])[] };

export type DefinitionAnalysis = {
  definition: Definition;
  schema: unknown;
  functions: Readonly<Record<string, ModuleAnalysis>>;
  udfConfig: unknown;
};

type Definition = NonNullable<Evaluated["definition"]> & { path: string; exports: Exports };

/** One instance of the app or of a component, as Convex's backend describes it. */
export type CheckedComponent = {
  definitionPath: string;
  componentPath: string;
  args: Record<string, never>;
  childComponents: Readonly<Record<string, CheckedComponent>>;
  httpRoutes: { httpModuleRoutes: { path: string; method: string }[] | null; mounts: never[] };
  exports: Record<string, never>;
};

export type PushAnalysis = {
  analysis: Readonly<Record<string, DefinitionAnalysis>>;
  app: CheckedComponent;
  appAuth: readonly unknown[];
};

const REFERENCE = "_reference/function/";
const PATH_LENGTH_MAX = 64;

/** Analyses a push. Throws PushProblem for what its author can put right. */
export async function analysePush(
  request: StartPushRequest,
  environment: Readonly<Record<string, string>>,
): Promise<PushAnalysis> {
  const analysis: Record<string, DefinitionAnalysis> = {};
  const names = new Map<string, string>();
  let appAuth: readonly unknown[] = [];
  for (const pushed of inOrder(request)) {
    const label = labelOf(pushed.path);
    const dependencies = new Map(pushed.dependencies.map((path) => [path, names.get(path) ?? ""]));
    // Only the app has the host's environment; a component gets what its parent hands it, at run time.
    const visible = pushed.path === "" ? environment : {};
    const evaluated = await evaluatePushed(await joinPushed({ ...pushed, dependencies }), label, visible);
    const described = describe(pushed.path, evaluated, pushed.udfServerVersion);
    analysis[pushed.path] = described;
    const { definitionType } = described.definition;
    if (definitionType.type === "childComponent") names.set(pushed.path, definitionType.name);
    if (pushed.path === "") appAuth = (evaluated.authProviders ?? []).map(authInfoOf);
  }
  return { analysis, app: instanceOf(analysis, "", ""), appAuth };
}

/** The CLI expects the field of `customJwt` that may be left out. */
function authInfoOf(provider: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return provider["type"] === "customJwt" ? { applicationID: null, ...provider } : provider;
}

type Ordered = Omit<PushedDefinition, "dependencies"> & {
  dependencies: readonly string[];
  udfServerVersion: string;
};

/** Components before those that install them, so that their names are known; the app last. */
function inOrder({ appDefinition, componentDefinitions }: StartPushRequest): Ordered[] {
  const byPath = new Map(componentDefinitions.map((component) => [component.definitionPath, component]));
  const ordered = new Map<string, Ordered>();
  const visit = (path: string, above: readonly string[]): void => {
    const component = byPath.get(path);
    if (component === undefined) throw new PushProblem(`${labelOf(path)} is used, but not part of the push`);
    if (above.includes(path)) throw new PushProblem(`${labelOf(path)} installs itself`);
    for (const dependency of component.dependencies) visit(dependency, [...above, path]);
    const { definition, schema, functions: modules, dependencies, udfServerVersion } = component;
    ordered.set(path, { path, definition, schema, modules, dependencies, udfServerVersion });
  };
  for (const path of byPath.keys()) visit(path, []);
  const { definition, schema, changedModules: modules, dependencies, udfServerVersion } = appDefinition;
  return [...ordered.values(), { path: "", definition, schema, modules, dependencies, udfServerVersion }];
}

function describe(path: string, evaluated: Evaluated, serverVersion: string): DefinitionAnalysis {
  const { functions, schema } = evaluated;
  const definition = evaluated.definition ?? {
    definitionType: { type: "app" as const },
    childComponents: [],
    httpMounts: {},
  };
  return {
    definition: { ...definition, path, exports: exportsOf(functions) },
    schema: schema ?? null,
    functions,
    // Convex's own values of these seed the loading of modules; here nothing reads them.
    udfConfig: {
      serverVersion,
      importPhaseRngSeed: { $bytes: "" },
      importPhaseUnixTimestamp: { $integer: "AAAAAAAAAAA=" },
    },
  };
}

type Branch = Map<string, Branch | string>;

/** `dir/module.js` and `function` → the branch `dir`, in it `module`, in it the leaf `function`. */
function exportsOf(functions: Readonly<Record<string, ModuleAnalysis>>): Exports {
  const root: Branch = new Map();
  for (const [modulePath, module] of Object.entries(functions)) {
    const isPublic = module.functions.filter(({ visibility }) => visibility.kind === "public");
    if (isPublic.length === 0) continue;
    let branch = root;
    for (const part of modulePath.replace(/\.js$/, "").split("/")) {
      const next = branch.get(part) ?? new Map<string, Branch | string>();
      if (typeof next === "string") throw new PushProblem(`${part} is a function and a folder of functions`);
      branch.set(part, next);
      branch = next;
    }
    for (const { name } of isPublic) branch.set(name, `${REFERENCE}${modulePath}:${name}`);
  }
  return treeOf(root);
}

function treeOf(branch: Branch): Exports {
  const entries = [...branch].sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    type: "branch",
    branch: entries.map(([name, inner]) => [
      name,
      typeof inner === "string" ? { type: "leaf", leaf: inner } : treeOf(inner),
    ]),
  };
}

function instanceOf(
  analysis: Readonly<Record<string, DefinitionAnalysis>>,
  definitionPath: string,
  componentPath: string,
): CheckedComponent {
  const found = analysis[definitionPath];
  if (found === undefined)
    throw new PushProblem(`${labelOf(definitionPath)} is used, but not part of the push`);
  if (componentPath.split("/").length > PATH_LENGTH_MAX)
    throw new PushProblem("components are nested too deeply");
  const children = found.definition.childComponents.map(
    ({ name, path }) =>
      [name, instanceOf(analysis, path, componentPath === "" ? name : `${componentPath}/${name}`)] as const,
  );
  const routes = found.functions["http.js"]?.httpRoutes ?? null;
  return {
    definitionPath,
    componentPath,
    args: {},
    childComponents: Object.fromEntries(children),
    httpRoutes: { httpModuleRoutes: routes?.map(({ route }) => route) ?? null, mounts: [] },
    exports: {},
  };
}
