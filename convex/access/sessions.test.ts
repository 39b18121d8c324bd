import { afterEach, describe, expect, test, vi } from "vitest";
import { checkpointKey, TEST_DEPLOYMENT } from "../../tests/support/checkpointKeys.ts";
import type * as Sessions from "./sessions.ts";

const NOW = Date.UTC(2030, 0, 1);
const nowS = NOW / 1000;

/** The module as a deployment with these variables sees it. */
async function deployed(variables: Record<string, string> = {}): Promise<typeof Sessions> {
  vi.resetModules();
  vi.stubEnv("DAYBOOK_INVITATION_KEYS", `k1:${"1".repeat(64)}`);
  vi.stubEnv("DAYBOOK_FINGERPRINT_KEY", "2".repeat(64));
  vi.stubEnv("DAYBOOK_SEALING_KEYS", `s1:${"3".repeat(64)}`);
  vi.stubEnv("DAYBOOK_DEPLOYMENT", TEST_DEPLOYMENT);
  vi.stubEnv("DAYBOOK_CHECKPOINT_KEYS", checkpointKey(1));
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  return await import("./sessions.ts");
}

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe("the session of a token", () => {
  test("has the times of the claims, in milliseconds", async () => {
    const { sessionOf } = await deployed();
    expect(sessionOf({ daybook_iat: nowS, daybook_auth_time: nowS - 7 })).toEqual({
      issuedAt: NOW,
      authenticatedAt: NOW - 7_000,
    });
  });

  test.each([undefined, null, "1893456000", NOW, NaN, Infinity, -1, 0, 1e400, true, { a: 1 }, [], [nowS]])(
    "has no times when the claims are %j",
    async (value) => {
      const { sessionOf } = await deployed();
      const session = sessionOf({ daybook_iat: value, daybook_auth_time: value });
      expect(session).toEqual({ issuedAt: undefined, authenticatedAt: undefined });
    },
  );

  test("takes the declared claims and no others", async () => {
    const { sessionOf } = await deployed({
      DAYBOOK_ISSUED_AT_CLAIM: "issued",
      DAYBOOK_AUTH_TIME_CLAIM: "auth_time",
    });
    expect(sessionOf({ daybook_iat: nowS, daybook_auth_time: nowS })).toEqual({
      issuedAt: undefined,
      authenticatedAt: undefined,
    });
    expect(sessionOf({ issued: nowS, auth_time: nowS })).toEqual({ issuedAt: NOW, authenticatedAt: NOW });
  });

  test.each([
    [[7, -1], nowS, NOW - 8 * 60_000],
    [[0, -1], nowS, NOW - 60_000],
    [[-1, -1], nowS, undefined],
    [[1.5, -1], nowS, undefined],
    [["7"], nowS, undefined],
    [[7, -1], undefined, undefined],
  ])(
    "takes factor ages %j from the time of issue %j, at their upper end",
    async (fva, daybook_iat, expected) => {
      const { sessionOf } = await deployed({ DAYBOOK_AUTH_TIME_CLAIM: "fva" });
      expect(sessionOf({ fva, daybook_iat }).authenticatedAt).toBe(expected);
    },
  );
});

test("a session was revoked when its token is older than the moment, or does not say", async () => {
  const { isRevoked } = await deployed();
  const issued = (
    issuedAt: number | undefined,
  ): { issuedAt: number | undefined; authenticatedAt: undefined } => ({
    issuedAt,
    authenticatedAt: undefined,
  });
  expect(isRevoked(issued(NOW - 1), NOW)).toBe(true);
  expect(isRevoked(issued(undefined), NOW)).toBe(true);
  expect(isRevoked(issued(NOW), NOW)).toBe(false);
  expect(isRevoked(issued(undefined), undefined)).toBe(false);
});

describe("A23 recent authentication", () => {
  const stepUp = { maxAgeMs: 600_000, enforced: "always" } as const;

  test.each([
    [600_000, "passes"],
    [600_001, "STEP_UP_REQUIRED"],
    [0, "passes"],
    [-5_000, "passes"],
    [-5_001, "STEP_UP_REQUIRED"],
    [undefined, "STEP_UP_REQUIRED"],
  ])("%j ms ago %s", async (agoMs, expected) => {
    const { requireStepUp } = await deployed();
    const session = { issuedAt: NOW, authenticatedAt: agoMs === undefined ? undefined : NOW - agoMs };
    const held = (): void => {
      requireStepUp(stepUp, session, NOW);
    };
    if (expected === "passes") expect(held).not.toThrow();
    else expect(held).toThrow(expected);
  });

  test("that is asked where the claim is declared is asked nowhere else", async () => {
    const whenDeclared = { ...stepUp, enforced: "whenDeclared" } as const;
    const session = { issuedAt: undefined, authenticatedAt: undefined };
    const undeclared = await deployed();
    expect(() => {
      undeclared.requireStepUp(whenDeclared, session, NOW);
    }).not.toThrow();
    const declared = await deployed({ DAYBOOK_AUTH_TIME_CLAIM: "auth_time" });
    expect(() => {
      declared.requireStepUp(whenDeclared, session, NOW);
    }).toThrow("STEP_UP_REQUIRED");
    expect(() => {
      declared.requireStepUp(undefined, session, NOW);
    }).not.toThrow();
  });
});
