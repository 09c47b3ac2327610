import { Component, type ReactNode } from "react";

import { ErrorNote } from "@/components/Notes";

interface State {
  error: unknown;
}

/** Shows an unforeseen error of the pages below instead of an empty window. A new version on the server is loaded. */
export class Problems extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    return this.state.error === null ? (
      this.props.children
    ) : (
      <ErrorNote error={this.state.error} onRetry={() => window.location.reload()} />
    );
  }
}
