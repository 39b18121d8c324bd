/**
 * What somebody with the database file can do to a ledger, and what is said of it afterwards. Every ledger that is
 * damaged has the same 19 events: 4 to 15 request a booking each, 16 confirms that of 4, 18 reschedules it; 17 and 19
 * request one more. A checkpoint was signed over the first 17.
 */
import { BESIDE_DAMAGES } from "./besideDamages.ts";
import { CHAIN_DAMAGES } from "./chainDamages.ts";
import type { Damage } from "./damage.ts";

export const DAMAGES: readonly Damage[] = [...CHAIN_DAMAGES, ...BESIDE_DAMAGES];
