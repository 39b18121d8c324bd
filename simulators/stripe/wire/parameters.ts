/**
 * Form-encoded parameters with brackets, and their schemas. A parameter that the simulator does not know is refused,
 * as Stripe refuses unknown ones: nothing is ignored in silence.
 */
import qs from "qs";
import { z } from "zod";
import { badParameter } from "./apiError.ts";

export type FormValue = string | FormValue[] | FormFields;
export interface FormFields {
  readonly [name: string]: FormValue;
}

const PARAMETERS_MAX = 1000;

/**
 * Reads `a[b][0]=c`, of a body or a query.
 * @throws StripeApiError (400) for more than 1,000 parameters.
 */
export function parseForm(text: string): FormFields {
  try {
    return qs.parse(text, {
      depth: 6,
      arrayLimit: 100,
      parameterLimit: PARAMETERS_MAX,
      throwOnLimitExceeded: true,
      plainObjects: true,
    }) as FormFields;
  } catch {
    throw badParameter("", "Invalid request: too many parameters.");
  }
}

/** An issue with Stripe's own code and words. */
const refuse = (context: z.RefinementCtx, code: string, message: string) => {
  context.addIssue({ code: "custom", message, params: { code } });
  return z.NEVER;
};

const INTEGER = /^-?\d{1,16}$/;

/** A whole number of at least `minimum`. */
export const integer = (minimum: number, maximum = Number.MAX_SAFE_INTEGER): z.ZodType<number, string> =>
  z.string().transform((text, context) => {
    if (text === "") return refuse(context, "parameter_invalid_empty", "You passed an empty string.");
    const value = Number(text);
    if (!INTEGER.test(text) || !Number.isSafeInteger(value)) {
      return refuse(context, "parameter_invalid_integer", `Invalid integer: ${text}`);
    }
    if (value < minimum) {
      const words = `This value must be greater than or equal to ${minimum}.`;
      return refuse(context, "parameter_invalid_integer", words);
    }
    if (value > maximum) {
      return refuse(
        context,
        "parameter_invalid_integer",
        `This value must be less than or equal to ${maximum}.`,
      );
    }
    return value;
  });

export const boolean = z.string().transform((text, context) => {
  if (text === "true" || text === "false") return text === "true";
  return refuse(context, "parameter_invalid_boolean", `Invalid boolean: ${text}`);
});

/** One of a closed set. */
export const oneOf = <const T extends readonly [string, ...string[]]>(
  values: T,
): z.ZodType<T[number], string> =>
  z.enum(values, {
    error: ({ input }) =>
      input === undefined ? undefined : `Invalid value: must be one of ${values.join(", ")}`,
  });

export const text = (maximum = 5000): z.ZodType<string, string> =>
  z.string().transform((value, context) => {
    if (value === "") return refuse(context, "parameter_invalid_empty", "You passed an empty string.");
    if (value.length <= maximum) return value;
    return refuse(
      context,
      "parameter_invalid_string",
      `Invalid string; must be at most ${maximum} characters`,
    );
  });

/** A parameter that is null when it is left out; forms have no null of their own. */
export const orNull = <T extends z.ZodType>(schema: T): z.ZodDefault<z.ZodNullable<T>> =>
  schema.nullable().default(null as z.output<T> & null);

const WEB_URL = /^https?:\/\/[^\s/?#]+/i;

export const webUrl = z.string().transform((value, context) => {
  if (WEB_URL.test(value) && URL.canParse(value)) return value;
  return refuse(context, "url_invalid", "Not a valid URL");
});

/** Up to 50 names of 40 characters with values of 500; an empty text clears. */
export const metadata = z
  .union([z.literal("").transform(() => ({})), z.record(z.string(), z.string())])
  .transform((fields, context): Record<string, string> => {
    const entries = Object.entries(fields);
    if (entries.length > 50) return refuse(context, "parameter_invalid", "Metadata can have 50 keys.");
    const tooLong = entries.find(([name, value]) => name.length > 40 || value.length > 500);
    if (tooLong !== undefined) {
      return refuse(context, "parameter_invalid", "Metadata has names of 40 and values of 500 characters.");
    }
    return Object.fromEntries(entries);
  });

/** A time in seconds, or bounds of it. */
export const createdFilter = z.union([
  integer(0),
  z.strictObject({
    gt: integer(0).optional(),
    gte: integer(0).optional(),
    lt: integer(0).optional(),
    lte: integer(0).optional(),
  }),
]);

const bracketed = (path: readonly PropertyKey[]) => {
  const [first, ...rest] = path.map(String);
  return (first ?? "") + rest.map((name) => `[${name}]`).join("");
};

/** Parameters by a schema; what a schema refuses is answered in Stripe's words, with the parameter's name. */
export function readParameters<T>(schema: z.ZodType<T>, fields: FormFields): T {
  const result = schema.safeParse(fields, { reportInput: true });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw result.error;
  const param = bracketed(issue.path);
  if (issue.code === "unrecognized_keys") {
    const unknown = bracketed([...issue.path, issue.keys[0] ?? ""]);
    throw badParameter(unknown, `Received unknown parameter: ${unknown}`, "parameter_unknown");
  }
  if (issue.input === undefined && issue.code !== "custom") {
    throw badParameter(param, `Missing required param: ${param}.`, "parameter_missing");
  }
  const code = issue.code === "custom" ? (issue.params?.["code"] as string) : undefined;
  throw badParameter(
    param,
    issue.code === "custom" ? issue.message : `Invalid ${param}: ${issue.message}`,
    code,
  );
}
