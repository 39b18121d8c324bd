import convex from "@convex-dev/eslint-plugin";
import jsdoc from "eslint-plugin-jsdoc";
import tseslint from "typescript-eslint";

const RAW_REGISTRARS = ["mutation", "query", "action", "internalMutation", "internalQuery", "internalAction"];

/** Files that wrap the raw registrars: the only ones that see them, and with them `ctx.db`. */
const WRAPPERS = [
  "convex/pipeline/commandMutation.ts",
  "convex/pipeline/signedInMutation.ts",
  "convex/pipeline/sessionMutation.ts",
  "convex/pipeline/evidenceMutation.ts",
  "convex/projections/projectionQuery.ts",
  "convex/projections/rebuild.ts",
  "convex/projections/onlineRebuild.ts",
  "convex/access/securityLogReader.ts",
  "convex/operator/organizations.ts",
  "convex/operator/evidence.ts",
  "convex/workers/integrity.ts",
  "convex/workers/closing.ts",
  "convex/workers/orphans.ts",
  "convex/workers/outbox.ts",
  "convex/workers/reconciliation.ts",
  "convex/effects/outbox.ts",
  "convex/effects/alerts.ts",
  "convex/effects/payments.ts",
  "convex/effects/refunds.ts",
  "convex/effects/reconciliation.ts",
  "convex/effects/stripeAccounts.ts",
  "convex/workers/checkpoints.ts",
  "convex/effects/witnesses.ts",
  "convex/log/published.ts",
  "convex/events/append.ts",
  "convex/events/read.ts",
  "convex/events/check.ts",
  "convex/events/receipts.ts",
  "convex/events/rounds.ts",
  "convex/events/deliveries.ts",
  "convex/events/parked.ts",
  "convex/webhooks/stripe.ts",
  "convex/operator/deliveries.ts",
  "convex/workers/rawDeliveries.ts",
  "convex/events/tree.ts",
  "convex/events/checkpoints.ts",
  "convex/events/logOfLogs.ts",
  "convex/events/cosignatures.ts",
  "convex/events/incidents.ts",
  "convex/events/proofs.ts",
  "convex/events/treeCheck.ts",
  "convex/http.ts",
];

/** The token and the database, as only the files that stand for them see them. */
const RAW_IDENTITY = {
  selector: "MemberExpression[property.name='getUserIdentity']",
  message: "Use getAuthUser, requireSameOrg or requireRole of access/principal.ts.",
};
const RAW_DATABASE = {
  selector: "MemberExpression[property.name='db'][object.name='ctx']",
  message: "Use the tenant-scoped database.",
};

/** What signs for money is read by the ledger component alone. */
const SIGNING_SECRET = [
  "Identifier[name='DAYBOOK_STRIPE_WEBHOOK_SECRETS']",
  "Literal[value=/DAYBOOK_STRIPE_WEBHOOK_SECRETS/]",
  "TemplateElement[value.raw=/DAYBOOK_STRIPE_WEBHOOK_SECRETS/]",
].join(", ");
const NAMED_SECRET = {
  selector: SIGNING_SECRET,
  message: "Only convex/events/stripeEnvironment.ts reads the secrets that sign deliveries.",
};
const RAW_SECRET = { ...NAMED_SECRET, selector: `${SIGNING_SECRET}, ImportSpecifier[imported.name='env']` };
/** Reads the component's other key, by its name, from the same environment. */
const CHECKPOINT_KEY_FILE = "convex/events/signing.ts";
/** The reader itself, and the two configurations that hand the secret to it. */
const SECRET_FILES = [
  "convex/events/stripeEnvironment.ts",
  "convex/events/convex.config.ts",
  "convex/convex.config.ts",
];

const IMPURE = [
  "MemberExpression[object.name='Date'][property.name='now']",
  "MemberExpression[object.name='Math'][property.name='random']",
  "NewExpression[callee.name='Date'][arguments.length=0]",
  "Identifier[name='fetch']",
  "Identifier[name='crypto']",
].join(", ");

export default tseslint.config(
  { ignores: ["convex/**/_generated/**", "node_modules/**", "*.cjs", "**/fixtures/**/_generated/**"] },
  ...tseslint.configs.strictTypeChecked,
  ...convex.configs.recommended.map((config) => ({ ...config, files: ["convex/**/*.ts"] })),
  {
    languageOptions: {
      parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: false } }],
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      complexity: ["error", 12],
      eqeqeq: "error",
    },
  },
  {
    files: ["**/*.test.ts", "tests/**", "property-tests/**"],
    rules: { "max-lines": "off", "max-lines-per-function": "off" },
  },
  {
    files: ["convex/**/*.ts"],
    ignores: ["convex/**/*.test.ts"],
    rules: {
      "@convex-dev/no-collect-in-query": "error",
      "@convex-dev/no-filter-in-query": "error",
      "@convex-dev/import-wrong-runtime": "error",
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: ["**/_generated/server*", "convex/server"],
              importNames: [...RAW_REGISTRARS, ...RAW_REGISTRARS.map((name) => `${name}Generic`)],
              message: "Use commandMutation or projectionQuery.",
            },
            {
              group: ["**/_generated/api*"],
              importNames: ["components"],
              message: "Components are reached through the files named below.",
            },
          ],
        },
      ],
    },
  },
  {
    files: [
      ...WRAPPERS,
      "convex/pipeline/ledger.ts",
      "convex/pipeline/deliveries.ts",
      "convex/pipeline/parked.ts",
      "convex/projections/ledgerReader.ts",
      "convex/workers/ledgerCheck.ts",
      "convex/access/limits.ts",
    ],
    rules: { "no-restricted-imports": "off" },
  },
  {
    files: ["convex/**/*.ts"],
    ignores: ["convex/access/principal.ts", ...SECRET_FILES, "convex/**/*.test.ts"],
    rules: { "no-restricted-syntax": ["error", RAW_IDENTITY, RAW_SECRET] },
  },
  {
    files: ["convex/**/*.ts"],
    ignores: [
      "convex/access/{principal,directory,tenantDb}.ts",
      "convex/events/*.ts",
      // Deliveries may concern no organisation that is known.
      "convex/vault/rawDeliveries.ts",
      // Finds the next organisation whose time came, which no organisation's own database can.
      "convex/workers/closing.ts",
      // Finds the effects that are due, of whichever organisation.
      "convex/workers/outbox.ts",
      // Finds rows of no organisation, which no organisation's own database holds.
      "convex/workers/orphans.ts",
      "convex/**/*.test.ts",
    ],
    rules: { "no-restricted-syntax": ["error", RAW_IDENTITY, RAW_DATABASE, RAW_SECRET] },
  },
  {
    files: SECRET_FILES,
    rules: { "no-restricted-syntax": ["error", RAW_IDENTITY, RAW_DATABASE] },
  },
  {
    files: [CHECKPOINT_KEY_FILE],
    rules: { "no-restricted-syntax": ["error", RAW_IDENTITY, RAW_DATABASE, NAMED_SECRET] },
  },
  {
    files: ["convex/access/principal.ts"],
    rules: { "no-restricted-syntax": ["error", RAW_DATABASE, RAW_SECRET] },
  },
  // The one place where the functions read their environment, and the one file that Convex reads before any.
  {
    files: ["convex/access/environment.ts", "convex/auth.config.ts"],
    rules: { "@convex-dev/no-process-env": "off" },
  },
  // "Mine or nobody's" is no single index range; the file says how its scan is bounded.
  { files: ["convex/projections/unassignedOr.ts"], rules: { "@convex-dev/no-filter-in-query": "off" } },
  {
    files: ["convex/domain/**", "convex/events/catalogue/**", "ledger/**"],
    rules: {
      "no-restricted-syntax": [
        "error",
        RAW_IDENTITY,
        RAW_DATABASE,
        RAW_SECRET,
        { selector: IMPURE, message: "Pure code takes time, randomness and IO as arguments." },
      ],
    },
  },
  {
    files: ["convex/events/**", "convex/pipeline/**", "ledger/**", "embedded/**", "simulators/**"],
    ignores: ["**/*.test.ts"],
    plugins: { jsdoc },
    rules: {
      "jsdoc/require-jsdoc": [
        "error",
        { publicOnly: true, require: { FunctionDeclaration: true, ClassDeclaration: true } },
      ],
    },
  },
  { files: ["**/*.config.js"], ...tseslint.configs.disableTypeChecked },
);
