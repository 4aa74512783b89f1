/** The instance as its rows have it now. */
import type { InstanceDocument } from "../core/documents.ts";
import { WaymarkError } from "../core/errors.ts";
import type { InstanceRow } from "../store/rows.ts";
import type { Engine } from "./engine.ts";
import { instanceDocument } from "./view.ts";

/** @throws WaymarkError `INSTANCE_NOT_FOUND` */
export function presentRow(engine: Engine, id: string): InstanceRow {
  const row = engine.instance.read();
  if (row !== undefined) return row;
  throw new WaymarkError("INSTANCE_NOT_FOUND", `there is no instance "${id}"`);
}

/** An instance whose row was just written, and nothing beside it. */
export function documentOfNew({ registry }: Engine, row: InstanceRow): InstanceDocument {
  return instanceDocument(row, null, registry.find(row.workflow, row.version), null);
}

export function documentOf(engine: Engine, row: InstanceRow): InstanceDocument {
  const { steps, registry, execution } = engine;
  return instanceDocument(row, steps, registry.find(row.workflow, row.version), execution);
}
