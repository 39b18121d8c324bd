/** When a cron job runs: Convex's kinds of schedule, all in UTC. Pure. */
import { createHash } from "node:crypto";
import { Cron } from "croner";
import { int64FromBase64, type Json, type JsonObject } from "../values/json.ts";

export type ScheduleJson = { type: string } & Record<string, Json>;

/** Gives the first due time after `fromMs`, given the one before it, which may lie far back. */
export type CronSchedule = (previousDueMs: number, fromMs: number) => number;

const UNIT_MS: Record<string, number> = { seconds: 1_000, minutes: 60_000, hours: 3_600_000 };
const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** Why a schedule can't be followed; the message completes "cron job X …". */
export class ScheduleProblem extends Error {
  override readonly name = "ScheduleProblem";
}

function numberOf(value: Json | undefined): number | undefined {
  if (typeof value === "number") return value;
  const integer = (value as JsonObject | null | undefined)?.["$integer"];
  return typeof integer === "string" ? Number(int64FromBase64(integer)) : undefined;
}

function integerField(
  schedule: ScheduleJson,
  field: string,
  [least, most]: readonly [number, number],
): number {
  const value = numberOf(schedule[field]);
  if (value !== undefined && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ScheduleProblem(`needs ${field} to be an integer from ${least} to ${most}`);
}

/** Like Convex, spreads jobs that name no minute over the hour; the same job always gets the same one. */
function minuteOf(schedule: ScheduleJson, key: string): number {
  if (schedule["minuteUTC"] !== undefined) return integerField(schedule, "minuteUTC", [0, 59]);
  return createHash("sha256").update(key, "utf8").digest().readUInt32BE(0) % 60;
}

function dayOfWeek(schedule: ScheduleJson): number {
  const name = schedule["dayOfWeek"];
  const day = typeof name === "string" ? DAYS.indexOf(name) : -1;
  if (day < 0) throw new ScheduleProblem('needs dayOfWeek to be a string like "monday"');
  return day;
}

/** The five fields of cron that say the same. */
function patternOf(schedule: ScheduleJson, key: string): string {
  const minute = (): number => minuteOf(schedule, key);
  const hour = (): number => integerField(schedule, "hourUTC", [0, 23]);
  switch (schedule.type) {
    case "hourly":
      return `${minute()} * * * *`;
    case "daily":
      return `${minute()} ${hour()} * * *`;
    case "weekly":
      return `${minute()} ${hour()} * * ${dayOfWeek(schedule)}`;
    case "monthly":
      return `${minute()} ${hour()} ${integerField(schedule, "day", [1, 31])} * *`;
    case "cron":
      return typeof schedule["cron"] === "string" ? schedule["cron"] : "";
    default:
      throw new ScheduleProblem(`has a schedule of the kind "${schedule.type}", which Convex does not have`);
  }
}

function intervalSchedule(schedule: ScheduleJson): CronSchedule {
  const units = Object.entries(UNIT_MS).filter(([unit]) => schedule[unit] !== undefined);
  const [unit, unitMs] = units[0] ?? ["seconds", 0];
  const intervalMs = integerField(schedule, unit, [1, Number.MAX_SAFE_INTEGER]) * unitMs;
  return (previousDueMs, fromMs) => {
    const missed = Math.max(0, Math.floor((fromMs - previousDueMs) / intervalMs));
    return previousDueMs + (missed + 1) * intervalMs;
  };
}

function calendarSchedule(pattern: string): CronSchedule {
  let cron: Cron;
  try {
    cron = new Cron(pattern, { timezone: "UTC", mode: "5-part", paused: true });
  } catch (cause) {
    throw new ScheduleProblem(`has the cron expression "${pattern}", which can't be read`, { cause });
  }
  return (_, fromMs) => {
    const next = cron.nextRun(new Date(fromMs));
    if (next === null) throw new ScheduleProblem(`has the cron expression "${pattern}", which never comes`);
    return next.getTime();
  };
}

/** Reads a schedule. `key` names the job among all. Throws ScheduleProblem. */
export function cronSchedule(schedule: ScheduleJson, key: string): CronSchedule {
  return schedule.type === "interval"
    ? intervalSchedule(schedule)
    : calendarSchedule(patternOf(schedule, key));
}
