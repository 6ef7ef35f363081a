"""From a run to offers: policies outside the simulator, offers as files, export, service."""
