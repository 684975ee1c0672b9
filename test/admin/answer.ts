/** Every member that some admin route answers with; a test reads those of the route it asked. */
export interface Answer {
  readonly id: string;
  /** Of a problem document. */
  readonly type: string;
  readonly state: string;
  readonly verdict: string;
  readonly error: string | null;
  readonly finishedAt: string | null;
  readonly counts: { readonly published: number; readonly remaining: number };
  readonly actions: readonly { readonly id: string; readonly actor: string; readonly action: string; readonly result: string }[];
  readonly parked: readonly { readonly id: string; readonly body: string }[];
  readonly events: readonly { readonly type: string; readonly checkpoint: string; readonly modules: Readonly<Record<'learning' | 'orders', TrailStep>> }[];
  readonly projector: { readonly secondsBehind: number };
  readonly queues: readonly object[];
  readonly modules: Readonly<Record<'learning' | 'orders', { readonly oldestUneffectedSeconds: number }>>;
}

interface TrailStep {
  readonly state: string;
  readonly parked?: { readonly id: string };
  readonly closed?: { readonly by: string; readonly note: string };
}
