import { describe, expect, test } from "vitest";
import { cronSchedule, ScheduleProblem, type ScheduleJson } from "./cronSchedule.ts";

function dueTimes(schedule: ScheduleJson, from: string, count: number): string[] {
  const next = cronSchedule(schedule, ":job");
  const times: string[] = [];
  let ms = Date.parse(from);
  for (let run = 0; run < count; run += 1) {
    ms = next(ms, ms);
    times.push(new Date(ms).toISOString().slice(0, 16));
  }
  return times;
}

describe("due times, in UTC", () => {
  test.each<[string, ScheduleJson, string, string[]]>([
    [
      "of an interval follow the one before",
      { type: "interval", minutes: 90 },
      "2026-11-21T23:10:00Z",
      ["2026-11-22T00:40", "2026-11-22T02:10"],
    ],
    [
      "of an interval in hours",
      { type: "interval", hours: 12 },
      "2026-11-21T23:10:00Z",
      ["2026-11-22T11:10", "2026-11-22T23:10"],
    ],
    [
      "of hourly",
      { type: "hourly", minuteUTC: 15 },
      "2026-12-31T23:15:00Z",
      ["2027-01-01T00:15", "2027-01-01T01:15"],
    ],
    [
      "of daily, where clocks elsewhere change",
      { type: "daily", hourUTC: 1, minuteUTC: 30 },
      "2026-03-28T02:00:00Z",
      ["2026-03-29T01:30", "2026-03-30T01:30"],
    ],
    [
      "of weekly",
      { type: "weekly", dayOfWeek: "sunday", hourUTC: 0, minuteUTC: 0 },
      "2026-11-21T12:00:00Z",
      ["2026-11-22T00:00", "2026-11-29T00:00"],
    ],
    [
      "of monthly leave out months without the day",
      { type: "monthly", day: 31, hourUTC: 6, minuteUTC: 5 },
      "2026-08-31T06:05:00Z",
      ["2026-10-31T06:05", "2026-12-31T06:05"],
    ],
    [
      "of a cron expression, where day of month or day of week is enough",
      { type: "cron", cron: "0 12 13 * 5" },
      "2026-11-07T00:00:00Z",
      [
        "2026-11-13T12:00",
        "2026-11-20T12:00",
        "2026-11-27T12:00",
        "2026-12-04T12:00",
        "2026-12-11T12:00",
        "2026-12-13T12:00",
      ],
    ],
    ["of a leap day", { type: "cron", cron: "0 0 29 2 *" }, "2026-11-21T00:00:00Z", ["2028-02-29T00:00"]],
  ])("%s", (_, schedule, from, expected) => {
    expect(dueTimes(schedule, from, expected.length)).toEqual(expected);
  });

  test("of an interval that was missed keep its beat", () => {
    const next = cronSchedule({ type: "interval", seconds: 10 }, ":job");
    expect(next(1_000, 35_500)).toBe(41_000);
    // The clock went back: never twice in one beat.
    expect(next(1_000, 0)).toBe(11_000);
  });

  test("without a minute keep the same one, and jobs are spread", () => {
    const minuteOf = (key: string): number =>
      new Date(cronSchedule({ type: "hourly" }, key)(0, 0)).getUTCMinutes();
    expect(minuteOf(":a")).toBe(minuteOf(":a"));
    const minutes = new Set(Array.from({ length: 100 }, (_, job) => minuteOf(`:${job}`)));
    expect(minutes.size).toBeGreaterThan(20);
  });
});

test.each<[string, ScheduleJson]>([
  ["an expression with seconds", { type: "cron", cron: "0 0 12 * * *" }],
  ["an expression that is none", { type: "cron", cron: "at noon" }],
  ["a day that never comes", { type: "cron", cron: "0 0 31 2 *" }],
  ["an interval of nothing", { type: "interval", seconds: 0 }],
  ["an interval without a unit", { type: "interval" }],
  ["an hour that no day has", { type: "daily", hourUTC: 24, minuteUTC: 0 }],
  ["a day that no week has", { type: "weekly", dayOfWeek: "Monday", hourUTC: 1, minuteUTC: 0 }],
  ["a kind that Convex lacks", { type: "yearly" }],
])("%s is refused", (_, schedule) => {
  expect(() => cronSchedule(schedule, ":job")(0, 0)).toThrow(ScheduleProblem);
});
