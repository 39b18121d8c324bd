/** Every bundle of the vectors, one at least for each row of the format's table. */
import type { BundleCase } from "./bundleCase.ts";
import { contradictedBundles } from "./contradictedBundles.ts";
import { lackingBundles } from "./lackingBundles.ts";
import { soundBundles } from "./soundBundles.ts";
import { unreadableBundles } from "./unreadableBundles.ts";

/** In the order of the index, to which new ones are added at the end of their part. */
export function bundleCases(): BundleCase[] {
  return [...soundBundles(), ...contradictedBundles(), ...lackingBundles(), ...unreadableBundles()];
}
