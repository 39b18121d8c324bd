/**
 * Import rules of the house. `only` is an allow-list of one room's imports; `never` denies even through others.
 * Generated code and packages are allowed everywhere unless a rule says otherwise; tests are free.
 */
const GENERATED = "_generated/";
const PACKAGES = "(^|/)node_modules/";
const SCHEMA = "^convex/(schema|validators)\\.ts$";
const TEST = "\\.test\\.ts$";

const only = (name, from, allow, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, pathNot: TEST },
  to: { pathNot: [GENERATED, PACKAGES, SCHEMA, ...allow], dependencyTypesNot: ["core"] },
});

const never = (name, from, to, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, pathNot: TEST },
  to: { path: to, reachable: true },
});

const LEDGER = "^ledger/";
const CATALOGUE = "^convex/events/catalogue/";
/** What a signed delivery says: types and words only. */
const PROVIDER_FACT = "^convex/events/providerFact\\.ts$";
const DIRECTORY = "^convex/access/directory\\.ts$";

module.exports = {
  forbidden: [
    only("ledger-is-a-leaf", LEDGER, [LEDGER], "auditors re-run this code alone"),
    {
      name: "functions-are-portable",
      comment: "convex/ and ledger/ run on every Convex host and in the browser: no Node built-ins",
      severity: "error",
      from: { path: ["^ledger/", "^convex/"], pathNot: TEST },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "functions-know-no-host",
      comment: "the same folder goes to any Convex",
      severity: "error",
      from: { path: "^convex/", pathNot: TEST },
      to: { path: "^(embedded|simulators|console|audit|bench|scripts)/" },
    },
    only(
      "domain-is-pure",
      "^convex/domain/",
      ["^convex/domain/", CATALOGUE, PROVIDER_FACT, LEDGER],
      "deciders see no database, clock or network",
    ),
    only(
      "access-is-a-leaf",
      "^convex/access/",
      ["^convex/access/", CATALOGUE, LEDGER],
      "authorisation facts come from its own tables",
    ),
    only(
      "events-know-only-the-format",
      "^convex/events/",
      ["^convex/events/", LEDGER],
      "the ledger knows no command and no view",
    ),
    only(
      "commands-use-the-corridor",
      "^convex/commands/",
      ["^convex/(domain|pipeline|access)/", CATALOGUE, LEDGER],
      "no command reads a view or appends by hand",
    ),
    only(
      "corridor-joins-the-rooms",
      "^convex/pipeline/",
      [
        "^convex/(pipeline|access|domain|vault)/",
        CATALOGUE,
        PROVIDER_FACT,
        "^convex/projections/registry\\.ts$",
        LEDGER,
      ],
      "the one composition root",
    ),
    only(
      "operator-uses-the-corridor",
      "^convex/operator/",
      ["^convex/(operator|pipeline|access|domain|vault)/", CATALOGUE, LEDGER],
      "what the operator changes is in the ledger",
    ),
    only(
      "effects-use-the-outbox",
      "^convex/effects/",
      ["^convex/(effects|pipeline|access|domain|vault)/", CATALOGUE, LEDGER],
      "an action talks to the world; what came of it is a transaction of its own",
    ),
    only(
      "webhooks-use-the-corridor",
      "^convex/webhooks/",
      ["^convex/(webhooks|pipeline|access|vault)/"],
      "a provider's word is recorded by the ledger component and decided like a command",
    ),
    only(
      "vault-is-a-leaf",
      "^convex/vault/",
      ["^convex/(vault|access)/", LEDGER],
      "what is sealed decides nothing",
    ),
    only(
      "workers-see-one-organisation",
      "^convex/workers/",
      ["^convex/(workers|access|vault)/", "^convex/pipeline/removedAccount\\.ts$", CATALOGUE, LEDGER],
      "jobs reach tables through the tenant-scoped database, and append nothing but the end of a removed account's link",
    ),
    only(
      "log-door-publishes",
      "^convex/log/",
      ["^convex/log/", LEDGER],
      "what anybody may read is what the component publishes",
    ),
    only(
      "witnesses-write-nothing",
      "^convex/effects/witnesses",
      ["^convex/(effects|access)/", CATALOGUE, LEDGER],
      "a witness's answer is kept by the ledger component, through internal functions only",
    ),
    only(
      "projections-read-events",
      "^convex/projections/",
      ["^convex/(projections|domain|access|vault)/", CATALOGUE, LEDGER],
      "views are derived",
    ),
    never(
      "projections-never-append",
      "^convex/projections/",
      "^convex/(events/append|pipeline/(ledger|commandMutation|signedInMutation)|commands/)",
      "no view writes the ledger, even indirectly",
    ),
    {
      name: "directory-has-named-readers",
      comment: "the only tables that are read before an organisation is known",
      severity: "error",
      from: {
        path: "^convex/",
        pathNot: [
          TEST,
          GENERATED,
          "^convex/access/principal\\.ts$",
          "^convex/pipeline/(signedInMutation|project)\\.ts$",
          "^convex/commands/(session|members)\\.ts$",
          "^convex/operator/organizations\\.ts$",
          "^convex/workers/cascade\\.ts$",
          "^convex/projections/organizations\\.ts$",
        ],
      },
      to: { path: DIRECTORY },
    },
    only(
      "auditor-runs-no-server-code",
      "^audit/",
      ["^audit/", LEDGER],
      "an auditor must not run the code under audit",
    ),
    only(
      "simulators-know-the-wire-only",
      "^simulators/(?!witness/)",
      ["^simulators/"],
      "a stand-in that shared code with what it stands before would share its mistakes",
    ),
    only(
      "a-witness-knows-the-format-only",
      "^simulators/witness/",
      ["^simulators/witness/", LEDGER],
      "a witness runs no code of the log that it watches",
    ),
    {
      name: "no-runtime-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { pathNot: GENERATED, dependencyTypesNot: ["type-only"] } },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: PACKAGES },
    enhancedResolveOptions: {
      extensions: [".ts", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "default"],
    },
  },
};
