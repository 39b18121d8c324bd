/** The command that writes the report of an exported ledger. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import { AuditError } from "./auditError.ts";
import { EXIT_DAMAGED, EXIT_INTACT } from "./exitCodes.ts";
import { withKeys } from "./options.ts";
import { createProgress } from "./progress.ts";
import { readTrust } from "./trustFiles.ts";
import type { TrustOptions } from "./trustFiles.ts";
import { writeWhole } from "./wholeFile.ts";

interface ReportOptions extends TrustOptions {
  readonly bundle: string;
  readonly out: string;
  readonly force?: true;
}

async function writeReport(options: ReportOptions): Promise<AuditVerdict> {
  const { bundle, out } = options;
  if (options.force !== true && existsSync(out)) {
    throw new AuditError(`${out} exists.`, "Choose another name, or overwrite it with --force.");
  }
  const progress = await createProgress(process.stderr);
  const { auditBundleFile } = await import("./bundleFile.ts");
  const { verifiedEvents } = await import("./verifiedEvents.ts");
  const { ReportData } = await import("./reportData.ts");
  const { reportPage } = await import("./reportPage.ts");
  const verdict = await auditBundleFile(bundle, await readTrust(options), { knownHeads: [], progress });
  const data = new ReportData();
  for await (const event of verifiedEvents(bundle, verdict.count)) data.add(event);
  await writeWhole(out, reportPage({ verdict, data, file: basename(bundle), madeAt: Date.now() }));
  return verdict;
}

export function addReportCommand(program: Command, setExitCode: (code: number) => void): void {
  const command = program
    .command("report")
    .description(
      "write one page about an exported ledger: verdict, proofs, charts; the exit code is the verdict's",
    )
    .requiredOption("--bundle <file>", "an exported ledger")
    .requiredOption("--out <file>", "the page to write, .html");
  withKeys(command)
    .option("--since <file>", "the checkpoint of an earlier audit, which the ledger must contain")
    .option("--force", "overwrite the page")
    .action(async (options: ReportOptions) => {
      const { result, damage } = await writeReport(options);
      const what = damage === undefined ? result : `${result} at sequence ${damage.seq}: ${damage.kind}`;
      process.stderr.write(`The ledger is ${what}. The report was written: ${options.out}\n`);
      setExitCode(result === "intact" ? EXIT_INTACT : EXIT_DAMAGED);
    });
}
