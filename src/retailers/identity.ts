/**
 * Which retailer a record is about (api.md §5, Identity), as pure logic over blind indexes. Names are never matched.
 */

/** What one record says about its retailer; at least one of the two is there. */
export interface Identity {
  gstin_index: string | null;
  phone_index: string | null;
}

/** A retailer that an identifier names at present. */
export interface NamedRetailer {
  retailer_id: string;
  provisional: boolean;
  /** The distributor at hand is already noted as one of this retailer's. */
  related: boolean;
}

/** The present meaning of the identifiers of a batch. A GSTIN names at most one retailer. */
export interface IdentitySnapshot {
  gstins: ReadonlyMap<string, NamedRetailer>;
  phones: ReadonlyMap<string, readonly NamedRetailer[]>;
}

/** What to write so that every identity has its retailer; all lists empty when nothing is missing. */
export interface IdentityChanges {
  /** New retailers with the identifier that names them. */
  creations: { retailer_id: string; kind: "gstin" | "phone"; blind_index: string }[];
  /** Phones that shall (also) name an existing retailer. */
  links: { phone_index: string; retailer_id: string }[];
  /** Provisional retailers to be absorbed. */
  merges: { from: string; into: string }[];
  /** Retailers the distributor is not noted for yet. */
  relations: string[];
}

export interface IdentityPlan {
  /** One retailer id per identity; null where a phone alone names several retailers. */
  retailer_ids: (string | null)[];
  /** True where the phone already belonged to another GSTIN's retailer (IDENTITY_CONFLICT). */
  conflicts: boolean[];
  changes: IdentityChanges;
}

/** True if the plan asks for nothing to be written: its retailer ids are final. */
export function isSettled({ changes }: IdentityPlan): boolean {
  const { creations, links, merges, relations } = changes;
  return creations.length + links.length + merges.length + relations.length === 0;
}

/**
 * Resolves the distinct identities of a batch, in their order of appearance. A GSTIN names one retailer; a phone
 * given with it is linked to that retailer and brings in its provisional one, if there is one. Phones alone are
 * looked at last, so that they find what the batch itself says about them. `newRetailerId` makes a fresh id.
 */
export function planIdentities(
  identities: readonly Identity[],
  snapshot: IdentitySnapshot,
  newRetailerId: () => string,
): IdentityPlan {
  const changes: IdentityChanges = { creations: [], links: [], merges: [], relations: [] };
  const created = new Map<string, NamedRetailer>();
  const phones = new Map<string, readonly NamedRetailer[]>();
  const related = new Set<string>();
  const retailer_ids: (string | null)[] = identities.map(() => null);
  const conflicts: boolean[] = identities.map(() => false);

  const namesOf = (phone_index: string) => phones.get(phone_index) ?? snapshot.phones.get(phone_index) ?? [];
  const create = (kind: "gstin" | "phone", blind_index: string): NamedRetailer => {
    const retailer = { retailer_id: newRetailerId(), provisional: kind === "phone", related: false };
    created.set(blind_index, retailer);
    changes.creations.push({ retailer_id: retailer.retailer_id, kind, blind_index });
    return retailer;
  };
  const assign = (index: number, retailer: NamedRetailer) => {
    retailer_ids[index] = retailer.retailer_id;
    if (retailer.related || related.has(retailer.retailer_id)) return;
    related.add(retailer.retailer_id);
    changes.relations.push(retailer.retailer_id);
  };

  for (const [index, { gstin_index, phone_index }] of identities.entries()) {
    if (gstin_index === null) continue;
    const owner =
      snapshot.gstins.get(gstin_index) ?? created.get(gstin_index) ?? create("gstin", gstin_index);
    assign(index, owner);
    if (phone_index === null) continue;
    const names = namesOf(phone_index);
    const others = names.filter((named) => named.retailer_id !== owner.retailer_id);
    if (names.length > 0 && others.length === 0) continue;
    const rivals = others.filter((named) => !named.provisional);
    conflicts[index] = rivals.length > 0;
    // A retailer that this very plan creates may lose the race for its GSTIN: nothing is merged into it
    // before it is known to be the one.
    if (!created.has(gstin_index)) {
      for (const other of others) {
        if (other.provisional) changes.merges.push({ from: other.retailer_id, into: owner.retailer_id });
      }
    }
    // The merge brings the phone along: linked before it, the phone would name two retailers till then.
    if (rivals.length === names.length) {
      changes.links.push({ phone_index, retailer_id: owner.retailer_id });
    }
    phones.set(phone_index, [...rivals, owner]);
  }

  for (const [index, { gstin_index, phone_index }] of identities.entries()) {
    if (gstin_index !== null || phone_index === null) continue;
    const names = namesOf(phone_index);
    if (names.length > 1) continue;
    assign(index, names[0] ?? created.get(phone_index) ?? create("phone", phone_index));
  }
  return { retailer_ids, conflicts, changes };
}
