/** Rounds of the workers. Each run is bounded: it does one step and schedules the next. */
import { cronJobs } from "convex/server";
import { internal } from "./_generated/api.js";

const crons = cronJobs();

crons.daily("verify every ledger", { hourUTC: 3, minuteUTC: 17 }, internal.workers.integrity.next, {});
crons.interval("sign checkpoints", { minutes: 1 }, internal.workers.checkpoints.next, {});
crons.hourly("remove closed organisations", { minuteUTC: 41 }, internal.workers.closing.next, {});
crons.interval("take up effects", { minutes: 1 }, internal.workers.outbox.next, {});
crons.daily("remove raw bodies", { hourUTC: 4, minuteUTC: 29 }, internal.workers.rawDeliveries.next, {});

export default crons;
